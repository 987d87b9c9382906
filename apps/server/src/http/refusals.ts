import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { ForgeError, type Permission } from '@tiny-forge/contracts/domain';
import type { State } from '../state/index.ts';
import { authenticate, csrfMatches } from './authentication.ts';
import type { Endpoint, RequestFacts, Resources } from './endpoint.ts';
import type { HostCheck } from './host-names.ts';
import { RequestError } from './problem.ts';

export interface RefusalOptions {
  readonly state: State;
  readonly hosts: HostCheck;
  /** false: recovery is not through. */
  readonly isStarted: () => boolean;
  /** false: roles `control` and `host`, which tell their health and nothing else. */
  readonly servesApi: boolean;
}

const isApi = (request: FastifyRequest): boolean => /^\/api(?:[/?]|$)/.test(request.url);
const isMutation = (request: FastifyRequest): boolean => !['GET', 'HEAD', 'OPTIONS'].includes(request.method);

const emptyFacts = (): RequestFacts => ({
  principal: null,
  resources: {},
  missing: null,
  body: undefined,
  query: undefined,
  auditId: null,
  auditDetails: {},
  idempotency: null,
  outcome: null,
});

/**
 * The refusals that need no body, before it is read: 503 STARTING, then 401, 421, 403, 404 (api.md, Restore). Fastify then reads the body
 * (415, 413, 400) and the pipeline goes on with the rest.
 */
export function registerEarlyRefusals(fastify: FastifyInstance, options: RefusalOptions): void {
  fastify.decorateRequest('forge', null as unknown as RequestFacts);
  fastify.addHook('onRequest', async (request: FastifyRequest, _reply: FastifyReply) => {
    request.forge = emptyFacts();
    const hostIsOurs = options.hosts.accepts(request.headers.host);
    const misdirected = (): ForgeError =>
      new RequestError('MISDIRECTED', { host: String(request.headers.host ?? '').slice(0, 100) });
    if (!isApi(request)) {
      if (!hostIsOurs) throw misdirected();
      return;
    }
    if (!options.servesApi) throw new RequestError('NOT_FOUND', { what: 'An API in this role' });
    if (!options.isStarted()) throw new RequestError('STARTING');
    const endpoint = request.routeOptions.config.endpoint;
    if (endpoint?.access === 'open') {
      if (!hostIsOurs) throw misdirected();
      return;
    }
    const principal = await authenticate(request, options.state);
    if (!principal) throw new RequestError('UNAUTHENTICATED');
    request.forge.principal = principal;
    if (!hostIsOurs) throw misdirected();
    if (isMutation(request) && !csrfMatches(principal, request.headers['x-csrf-token'])) throw new RequestError('CSRF');
    if (!endpoint) throw new RequestError('NOT_FOUND', { what: 'This address' });
    assertPermitted(endpoint, principal.permissions);
    await loadResources(request, endpoint, options.state);
  });
}

function assertPermitted(endpoint: Endpoint, permissions: readonly Permission[]): void {
  const { access, readAccess } = endpoint;
  if (access === 'open' || access === 'signed-in' || permissions.includes(access)) return;
  if (readAccess !== undefined && !permissions.includes(readAccess)) {
    throw new RequestError('NOT_FOUND', { what: 'This address' });
  }
  throw new RequestError('FORBIDDEN', { permission: access });
}

async function loadResources(request: FastifyRequest, endpoint: Endpoint, state: State): Promise<void> {
  if (endpoint.resource === undefined) return;
  const { id = '', sid = '' } = request.params as { id?: string; sid?: string };
  const found = await find(endpoint.resource, id, sid, state);
  if (!(found instanceof Error)) {
    request.forge.resources = found;
    return;
  }
  // A repeated DELETE whose answer was lost finds its target gone: the stored answer comes before this 404.
  const key = request.headers['idempotency-key'];
  if (!endpoint.idempotent || typeof key !== 'string') throw found;
  request.forge.missing = found;
}

async function find(
  resource: NonNullable<Endpoint['resource']>,
  id: string,
  sid: string,
  state: State,
): Promise<Resources | Error> {
  if (resource === 'operation') {
    const operation = await state.operations.get(id);
    return operation ? { operation } : new RequestError('NOT_FOUND', { what: 'The operation' });
  }
  const workload = await state.workloads.get(id);
  if (!workload) return new RequestError('NOT_FOUND', { what: 'The workload' });
  if (resource === 'workload') return { workload };
  const snapshot = await state.snapshots.get(sid);
  if (snapshot?.workloadId !== workload.id) return new RequestError('NOT_FOUND', { what: 'The snapshot' });
  return { workload, snapshot };
}
