import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Logger } from 'pino';
import type { State } from '../state/index.ts';
import { printable } from './problem.ts';

/** Every mutation leaves a record before its answer goes out: who, from where, what, with which outcome. */
export function registerAudit(fastify: FastifyInstance, state: State, log: Logger): void {
  fastify.addHook('onSend', async (request: FastifyRequest, reply: FastifyReply, payload: unknown) => {
    const { forge } = request;
    const isMutation = !['GET', 'HEAD', 'OPTIONS'].includes(request.method);
    if (!isMutation || forge === null || !request.url.startsWith('/api')) return payload;
    // What a stranger was refused changes nothing, and must not fill the disk. Guesses at passwords are told until they are slowed down.
    const isGuess = request.routeOptions.config.endpoint?.id === 'login' && reply.statusCode !== 429;
    if (forge.principal === null && !isGuess) return payload;
    const outcome = forge.outcome === null ? String(reply.statusCode) : `${reply.statusCode} ${forge.outcome}`;
    try {
      if (forge.auditId !== null) {
        await state.audit.conclude(forge.auditId, outcome);
      } else {
        await state.audit.add({
          principal: forge.principal?.name ?? '(nobody)',
          from: request.ip,
          verb: verbOf(request),
          target: targetOf(request),
          outcome,
          details: forge.auditDetails,
        });
      }
    } catch (error) {
      // The answer tells what has happened already: it goes out, the missing record is told to the operator.
      log.error({ err: error, verb: verbOf(request), target: targetOf(request), outcome }, 'audit record not written');
    }
    return payload;
  });
}

export const verbOf = (request: FastifyRequest): string => request.routeOptions.config.endpoint?.id ?? request.method;
export const targetOf = (request: FastifyRequest): string => printable(request.url.split('?')[0] ?? '').slice(0, 300);
