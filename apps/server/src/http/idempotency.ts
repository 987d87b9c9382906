import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import canonicalize from 'canonicalize';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { isForgeError } from '@tiny-forge/contracts/domain';
import type { Claim, IdempotencyScope, State, StoredAnswer } from '../state/index.ts';
import type { Endpoint } from './endpoint.ts';
import { RequestError, statusOf, toProblem, validationFailed } from './problem.ts';

const LEASE_MS = 10_000;
const POLL_MS = 50;
const NOT_STORED = [401, 403, 408, 409, 412, 429];
const KEPT_HEADERS = ['location', 'etag'];

/** Gives the same answer to the same key (api.md, Errors), across processes: the record is the lock. */
export class Idempotency {
  readonly #state: State;

  constructor(state: State) {
    this.#state = state;
  }

  async answer(
    request: FastifyRequest,
    reply: FastifyReply,
    endpoint: Endpoint,
    run: () => Promise<unknown>,
  ): Promise<unknown> {
    const scope = scopeOf(request);
    const fingerprint = fingerprintOf(request);
    const claim = await this.#claim(scope, fingerprint);
    if (claim.outcome === 'answer') return replay(reply, claim.answer, endpoint);
    if (claim.operationId !== null) {
      const settled = await this.#ofDeadRun(claim.operationId, reply);
      if (settled) {
        await this.#state.idempotency.store(scope, settled);
        return replay(reply, settled, endpoint);
      }
    }
    request.forge.idempotency = scope;
    const renew = setInterval(() => {
      this.#state.idempotency.renewLease(scope, LEASE_MS).catch(() => undefined);
    }, LEASE_MS / 3);
    try {
      const body = await run();
      const headers = Object.fromEntries(
        KEPT_HEADERS.flatMap((name) => {
          const value = reply.getHeader(name);
          return typeof value === 'string' ? [[name, value]] : [];
        }),
      );
      await this.#state.idempotency.store(scope, {
        status: reply.statusCode,
        headers,
        body: body === undefined ? '' : JSON.stringify(withoutSecret(endpoint, body)),
      });
      return body;
    } catch (error) {
      if (isForgeError(error) && isStored(statusOf(error))) {
        const body = JSON.stringify(toProblem(error));
        const headers = { 'content-type': 'application/problem+json' };
        await this.#state.idempotency.store(scope, { status: statusOf(error), headers, body });
      } else {
        await this.#state.idempotency.drop(scope);
      }
      throw error;
    } finally {
      clearInterval(renew);
    }
  }

  /** Waits while another request, of any process, runs under this key. */
  async #claim(scope: IdempotencyScope, fingerprint: string): Promise<Extract<Claim, { outcome: 'run' | 'answer' }>> {
    for (;;) {
      const claim = await this.#state.transaction((stores) => stores.idempotency.claim(scope, fingerprint, LEASE_MS));
      if (claim.outcome === 'mismatch') throw new RequestError('IDEMPOTENCY_MISMATCH');
      if (claim.outcome !== 'running') return claim;
      await sleep(POLL_MS);
    }
  }

  /** The process that ran this died after its operation was committed: what became of that is the answer. */
  async #ofDeadRun(operationId: string, reply: FastifyReply): Promise<StoredAnswer | null> {
    const operation = await this.#state.operations.get(operationId);
    if (!operation || operation.view.error?.code === 'SUBMIT_EXPIRED') return null;
    if (operation.acceptedAt === null && operation.endedAt === null) {
      // Never told to the lane, and never will be: the way is free for a new one.
      const row = await this.#state.transaction((stores) => stores.operations.expire(operationId));
      if (row?.endedAt !== null) return null;
    }
    const made = operation.kind === 'snapshot' ? await this.#snapshotOf(operationId) : null;
    reply.header('location', `/api/operations/${operationId}`);
    return {
      status: 202,
      headers: { location: `/api/operations/${operationId}` },
      body: JSON.stringify({ operationId, ...(made === null ? {} : { snapshotId: made }) }),
    };
  }

  async #snapshotOf(operationId: string): Promise<string | null> {
    return (await this.#state.operations.get(operationId))?.snapshotId ?? null;
  }
}

const isStored = (status: number): boolean => status < 500 && !NOT_STORED.includes(status);

/** A token is shown once and stored hashed: its record here carries none. */
function withoutSecret(endpoint: Endpoint, body: unknown): unknown {
  if (endpoint.id !== 'createToken') return body;
  const { token: _token, ...rest } = body as Record<string, unknown>;
  return rest;
}

function replay(reply: FastifyReply, answer: StoredAnswer, endpoint: Endpoint): unknown {
  reply.status(endpoint.id === 'createToken' && answer.status === 201 ? 200 : answer.status);
  for (const [name, value] of Object.entries(answer.headers)) reply.header(name, value);
  return answer.body === '' ? undefined : JSON.parse(answer.body);
}

function scopeOf(request: FastifyRequest): IdempotencyScope {
  const key = request.headers['idempotency-key'];
  if (typeof key !== 'string' || !/^[\x20-\x7e]{1,128}$/.test(key)) {
    throw validationFailed([{ path: 'Idempotency-Key', message: '1 to 128 printable ASCII characters' }]);
  }
  const path = request.url.split('?')[0] ?? '';
  return { principal: request.forge.principal?.key ?? '', method: request.method, path, key };
}

function fingerprintOf(request: FastifyRequest): string {
  const confirmations = Object.entries(request.headers)
    .filter(([name]) => name.startsWith('x-confirm-'))
    .sort(([a], [b]) => a.localeCompare(b));
  const query = request.url.split('?')[1] ?? '';
  const text = canonicalize({ body: request.body ?? null, confirmations, query }) ?? '';
  return createHash('sha256').update(text).digest('hex');
}
