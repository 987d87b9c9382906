import { createDocument, type ZodOpenApiOperationObject, type ZodOpenApiPathsObject } from 'zod-openapi';
import type { ZodObject } from 'zod';
import type { Endpoint } from './endpoint.ts';
import { ENDPOINTS, PROBLEM_ANSWER } from './endpoints.ts';

const openApiPath = (path: string): string => path.replace(/:(\w+)/g, '{$1}');

/** The document of the API, from the same schemas that validate. */
export function openApiDocument(version: string): ReturnType<typeof createDocument> {
  const paths: ZodOpenApiPathsObject = {};
  for (const endpoint of Object.values(ENDPOINTS)) {
    const path = openApiPath(endpoint.path);
    paths[path] = { ...paths[path], [endpoint.method.toLowerCase()]: operationOf(endpoint) };
  }
  return createDocument({
    openapi: '3.1.0',
    info: {
      title: 'Tiny Forge',
      version,
      description:
        'Deploys Docker workloads, takes snapshots of their volumes and restores them. Errors: docs/errors.md.',
    },
    servers: [{ url: '/' }],
    security: [{ session: [] }, { token: [] }],
    components: {
      securitySchemes: {
        session: { type: 'apiKey', in: 'cookie', name: 'tf_session', description: 'Mutations also need X-CSRF-Token.' },
        token: { type: 'http', scheme: 'bearer' },
      },
    },
    paths,
  });
}

function operationOf(endpoint: Endpoint): ZodOpenApiOperationObject {
  const names = [...endpoint.path.matchAll(/:(\w+)/g)].map((match) => match[1] ?? '');
  const parameters: NonNullable<ZodOpenApiOperationObject['parameters']> = names.map((name) => ({
    name,
    in: 'path' as const,
    required: true,
    schema: { type: 'string' as const },
  }));
  const header = (name: string, required: boolean, description: string): void => {
    parameters.push({ name, in: 'header', required, description, schema: { type: 'string' } });
  };
  if (endpoint.id === 'restoreSnapshot') header('X-Confirm-Restore', true, 'The id of the snapshot.');
  if (endpoint.id === 'replayOperation') header('X-Confirm-Restore', false, 'For a restore: the id of the snapshot.');
  if (endpoint.id === 'deleteWorkload') header('X-Confirm-Delete', false, 'With data=delete: the id of the workload.');
  if (endpoint.id === 'patchWorkload') header('If-Match', false, 'The ETag the change is based on.');
  if (endpoint.id === 'importSnapshot') header('X-Import-Profile', true, '`tiny-forge` or `tar`.');
  if (endpoint.id === 'snapshotContent') header('Range', false, 'One range of bytes.');
  if (endpoint.idempotent) header('Idempotency-Key', false, '1 to 128 printable ASCII characters; kept 48 h.');
  if (endpoint.method !== 'GET' && endpoint.access !== 'open') {
    header('X-CSRF-Token', false, 'Needed with the session cookie.');
  }
  return {
    operationId: endpoint.id,
    summary: endpoint.summary,
    tags: [endpoint.tag],
    ...(endpoint.access === 'open' ? { security: [] } : {}),
    ...(endpoint.access === 'open' || endpoint.access === 'signed-in'
      ? {}
      : { description: `Needs the permission \`${endpoint.access}\`.` }),
    parameters,
    ...(endpoint.query ? { requestParams: { query: endpoint.query as ZodObject } } : {}),
    ...(endpoint.body
      ? { requestBody: { required: false, content: { 'application/json': { schema: endpoint.body } } } }
      : {}),
    ...(endpoint.streamed
      ? {
          requestBody: {
            required: true,
            content: { 'application/octet-stream': { schema: { type: 'string' as const } } },
          },
        }
      : {}),
    responses: {
      ...Object.fromEntries(
        endpoint.answers.map((answer) => [
          String(answer.status),
          {
            description: answer.description,
            ...(answer.schema
              ? { content: { [answer.contentType ?? 'application/json']: { schema: answer.schema } } }
              : answer.contentType
                ? { content: { [answer.contentType]: { schema: { type: 'string' as const } } } }
                : {}),
          },
        ]),
      ),
      default: {
        description: PROBLEM_ANSWER.description,
        content: { [PROBLEM_ANSWER.contentType]: { schema: PROBLEM_ANSWER.schema } },
      },
    },
  };
}
