import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Submitted, Submitter } from '../operations/submission.ts';
import { decodeCursor, type Cursor } from '../state/index.ts';
import type { Principal } from './principal.ts';
import { RequestError, validationFailed } from './problem.ts';

/** @throws UNAUTHENTICATED, which a guarded endpoint has refused before */
export function principalOf(request: FastifyRequest): Principal {
  const { principal } = request.forge;
  if (!principal) throw new RequestError('UNAUTHENTICATED');
  return principal;
}

/** @throws when the endpoint declares no such resource */
export function resourceOf<K extends 'workload' | 'snapshot' | 'operation'>(
  request: FastifyRequest,
  name: K,
): NonNullable<FastifyRequest['forge']['resources'][K]> {
  const found = request.forge.resources[name];
  if (!found) throw new Error(`the endpoint of ${request.url} loads no ${name}`);
  return found;
}

export const submitterOf = (request: FastifyRequest): Submitter => ({
  name: principalOf(request).name,
  from: request.ip,
  idempotency: request.forge.idempotency,
  onAudit: (auditId) => {
    request.forge.auditId = auditId;
  },
});

/** 202 with Location, for every operation that was submitted. */
export function acceptedAnswer(
  reply: FastifyReply,
  { operationId, snapshotId, queuedBehind }: Submitted,
  kind?: 'snapshot',
) {
  void reply.header('location', `/api/operations/${operationId}`);
  return {
    operationId,
    ...(kind === 'snapshot' && snapshotId !== null ? { snapshotId } : {}),
    ...(queuedBehind === null ? {} : { queuedBehind }),
  };
}

/** @throws VALIDATION_FAILED for a cursor that no page gave */
export function cursorOf(text: string | undefined): Cursor | null {
  if (text === undefined) return null;
  const cursor = decodeCursor(text);
  if (!cursor) throw validationFailed([{ path: 'query.cursor', message: 'not a cursor of an earlier page' }]);
  return cursor;
}
