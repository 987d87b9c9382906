import { NamespaceNotFoundError } from '@temporalio/common';
import { isGrpcServiceError, type Connection } from '@temporalio/client';
import { searchAttributes } from '@tiny-forge/workflows';

const RETENTION_SECONDS = 30 * 24 * 3600;
/** What `npm start` makes in the embedded server; any other name is somebody's own unless we register it. */
const OUR_NAMESPACE = 'tiny-forge';
const OUR_MARK = 'tiny-forge';
const NOT_FOUND = 5;
const ALREADY_EXISTS = 6;
const KEYWORD = 2;

/**
 * Makes the namespace and its search attributes where they are missing, and raises the retention of a namespace of ours to 30 days.
 * @returns the namespace's own id: another one than before means that Temporal lost its database
 */
export async function ensureNamespace(connection: Connection, namespace: string): Promise<string> {
  let found = await describeNamespace(connection, namespace);
  if (found === null) {
    await register(connection, namespace);
    await ensureOnceKnown(connection, namespace);
    found = await describeNamespace(connection, namespace);
    if (found === null) throw new Error(`namespace ${namespace} vanished`);
    return found.id;
  }
  if (found.ours && found.retentionSeconds < RETENTION_SECONDS) {
    await connection.workflowService.updateNamespace({
      namespace,
      config: { workflowExecutionRetentionTtl: { seconds: RETENTION_SECONDS } as never },
    });
  }
  await ensureSearchAttributes(connection, namespace);
  return found.id;
}

export interface NamespaceState {
  readonly id: string;
  readonly ours: boolean;
  readonly retentionSeconds: number;
}

/** null: the server answers and knows no such namespace. Any other trouble throws. */
export async function describeNamespace(connection: Connection, namespace: string): Promise<NamespaceState | null> {
  try {
    const answer = await connection.workflowService.describeNamespace({ namespace });
    const retention = answer.config?.workflowExecutionRetentionTtl?.seconds;
    return {
      id: answer.namespaceInfo?.id ?? '',
      ours: namespace === OUR_NAMESPACE || answer.namespaceInfo?.data?.['owner'] === OUR_MARK,
      retentionSeconds: Number(retention ?? 0),
    };
  } catch (error) {
    if (isNamespaceMissing(error)) return null;
    throw error;
  }
}

export function isNamespaceMissing(error: unknown): boolean {
  return error instanceof NamespaceNotFoundError || (isGrpcServiceError(error) && Number(error.code) === NOT_FOUND);
}

async function register(connection: Connection, namespace: string): Promise<void> {
  try {
    await connection.workflowService.registerNamespace({
      namespace,
      workflowExecutionRetentionPeriod: { seconds: RETENTION_SECONDS } as never,
      data: { owner: OUR_MARK },
    });
  } catch (error) {
    if (!(isGrpcServiceError(error) && Number(error.code) === ALREADY_EXISTS)) throw error;
  }
}

/** A new namespace takes up to some seconds until every part of the server knows it. */
async function ensureOnceKnown(connection: Connection, namespace: string): Promise<void> {
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await ensureSearchAttributes(connection, namespace);
    } catch (error) {
      if (!isNamespaceMissing(error) || attempt >= 60) throw error;
      await new Promise((resolve) => setTimeout(resolve, 250));
    }
  }
}

/** Without them every workflow task that sets one would fail for ever: hence at boot, not on demand. */
async function ensureSearchAttributes(connection: Connection, namespace: string): Promise<void> {
  const { customAttributes } = await connection.operatorService.listSearchAttributes({ namespace });
  const missing = Object.values(searchAttributes)
    .map((key) => key.name)
    .filter((name) => !(name in (customAttributes ?? {})));
  if (missing.length === 0) return;
  await connection.operatorService.addSearchAttributes({
    namespace,
    searchAttributes: Object.fromEntries(missing.map((name) => [name, KEYWORD])),
  });
}
