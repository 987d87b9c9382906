import type {
  ImportProfile,
  Me,
  Operation,
  Readiness,
  RestorePlan,
  Snapshot,
  SnapshotFolder,
  SystemInfo,
  Workload,
} from '@tiny-forge/contracts/domain';
import { type Answer, api } from './client.ts';
import { upload, type UploadRequest } from './upload.ts';

export interface Page<T> {
  readonly items: T[];
  readonly nextCursor: string | null;
}
export interface Accepted {
  readonly operationId: string;
  readonly snapshotId?: string;
}
export interface Token {
  readonly id: string;
  readonly name: string;
  readonly permissions: string[];
  readonly createdAt: string;
  readonly lastUsedAt: string | null;
}

const id = encodeURIComponent;

function query(values: Readonly<Record<string, string | undefined>>): string {
  const entries = Object.entries(values).filter(
    (entry): entry is [string, string] => entry[1] !== undefined && entry[1] !== '',
  );
  return entries.length === 0 ? '' : `?${new URLSearchParams(entries).toString()}`;
}

/** What becomes of today's data in a restore. */
export type Safety = 'snapshot' | 'keep-old-tree';
/** The usual one goes without saying. */
const wish = (safety: Safety): { safety?: Safety } => (safety === 'snapshot' ? {} : { safety });

export const auth = {
  me: () => api.get<Me>('/api/auth/me'),
  login: (username: string, password: string) =>
    api.post<{ user: Me['user']; csrfToken: string }>('/api/auth/login', { body: { username, password } }),
  logout: () => api.post<unknown>('/api/auth/logout'),
};

export const tokens = {
  list: () => api.get<{ items: Token[] }>('/api/tokens'),
  create: (body: { name: string; permissions: string[] }, key: string) =>
    api.post<{ id: string; token?: string }>('/api/tokens', { body, key }),
  remove: (tokenId: string) => api.send<unknown>(`/api/tokens/${id(tokenId)}`, { method: 'DELETE' }),
};

export const workloads = {
  list: (cursor?: string) => api.get<Page<Workload>>(`/api/workloads${query({ cursor })}`),
  get: (workloadId: string): Promise<Answer<Workload>> => api.send<Workload>(`/api/workloads/${id(workloadId)}`),
  create: (body: unknown, key: string) => api.post<Workload>('/api/workloads', { body, key }),
  change: (workloadId: string, body: unknown, etag: string | null, key: string) =>
    api.send<Workload>(`/api/workloads/${id(workloadId)}`, {
      method: 'PATCH',
      body,
      key,
      headers: etag === null ? {} : { 'If-Match': etag },
    }),
  act: (workloadId: string, verb: 'deploy' | 'stop' | 'start', key: string) =>
    api.post<Accepted>(`/api/workloads/${id(workloadId)}/${verb}`, { key }),
  remove: (workloadId: string, data: boolean, key: string) =>
    api.send<Accepted>(`/api/workloads/${id(workloadId)}${data ? '?data=delete' : ''}`, {
      method: 'DELETE',
      key,
      headers: data ? { 'X-Confirm-Delete': workloadId } : {},
    }),
  logs: (workloadId: string) => api.get<unknown>(`/api/workloads/${id(workloadId)}/logs?tail=200`),
};

export const snapshots = {
  list: (workloadId: string, cursor?: string) =>
    api.get<Page<Snapshot>>(`/api/workloads/${id(workloadId)}/snapshots${query({ cursor })}`),
  get: (workloadId: string, sid: string) => api.get<Snapshot>(`/api/workloads/${id(workloadId)}/snapshots/${id(sid)}`),
  take: (workloadId: string, body: { note?: string; quiesce?: string }, key: string) =>
    api.post<Accepted>(`/api/workloads/${id(workloadId)}/snapshots`, { body, key }),
  remove: (workloadId: string, sid: string, key: string) =>
    api.send<unknown>(`/api/workloads/${id(workloadId)}/snapshots/${id(sid)}`, { method: 'DELETE', key }),
  /** @param place `volume=…&path=…` */
  entries: (workloadId: string, sid: string, place: string, cursor?: string) =>
    api.get<SnapshotFolder>(
      `/api/workloads/${id(workloadId)}/snapshots/${id(sid)}/entries?${place}${cursor === undefined ? '' : `&cursor=${cursor}`}`,
    ),
  import: (
    workloadId: string,
    body: Blob,
    how: { profile: ImportProfile; links: boolean; target?: string | undefined; note?: string | undefined },
    more: Pick<UploadRequest, 'onProgress' | 'signal'>,
  ) =>
    upload<Accepted>({
      path: `/api/workloads/${id(workloadId)}/snapshots/import${query({ links: how.links ? '1' : '0', target: how.target, note: how.note })}`,
      headers: { 'X-Import-Profile': how.profile },
      body,
      ...more,
    }),
  plan: (workloadId: string, sid: string, safety: Safety) =>
    api.get<RestorePlan>(`/api/workloads/${id(workloadId)}/snapshots/${id(sid)}/plan${query(wish(safety))}`, {
      timeoutMs: 60_000,
    }),
  restore: (workloadId: string, sid: string, planHash: string, safety: Safety, key: string) =>
    api.post<Accepted>(`/api/workloads/${id(workloadId)}/snapshots/${id(sid)}/restore`, {
      body: { planHash, ...wish(safety) },
      key,
      headers: { 'X-Confirm-Restore': sid },
    }),
};

export interface OperationFilter {
  readonly workloadId?: string | undefined;
  readonly kind?: string | undefined;
  /** One state or several, separated by commas. */
  readonly state?: string | undefined;
  readonly cursor?: string | undefined;
  readonly limit?: string | undefined;
}

export const operations = {
  list: (filter: OperationFilter) => api.get<Page<Operation>>(`/api/operations${query({ ...filter })}`),
  get: (operationId: string) => api.get<Operation>(`/api/operations/${id(operationId)}`),
  act: (
    operationId: string,
    verb: 'retry-step' | 'abort' | 'recheck' | 'replay' | 'undo',
    key: string,
    confirm?: string,
  ) =>
    api.post<Partial<Accepted> | undefined>(`/api/operations/${id(operationId)}/${verb}`, {
      key,
      headers: confirm === undefined ? {} : { 'X-Confirm-Restore': confirm },
    }),
  /** `retry-step` of a safety snapshot that fails: the old folders are kept instead. */
  keepOldTree: (operationId: string, key: string) =>
    api.post<unknown>(`/api/operations/${id(operationId)}/retry-step`, { key, body: { safety: 'keep-old-tree' } }),
};

export const system = {
  info: () => api.get<SystemInfo>('/api/system'),
};

/** `/readyz` answers outside `/api`, also with 503; `undefined` when nobody answers. */
export async function readiness(): Promise<Readiness | undefined> {
  try {
    const response = await fetch('/readyz', { cache: 'no-store', signal: AbortSignal.timeout(5000) });
    return (await response.json()) as Readiness;
  } catch {
    return undefined;
  }
}
