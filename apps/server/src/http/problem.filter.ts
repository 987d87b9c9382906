import { randomUUID } from 'node:crypto';
import { Catch, HttpException, Inject, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { isForgeError, type ForgeError } from '@tiny-forge/contracts/domain';
import { PARTS } from '../parts.ts';
import type { Parts } from '../parts.ts';
import { BODY_LIMIT_BYTES, lingerOver } from './body-parsing.ts';
import type {} from '@fastify/static';
import { fromFastify, isDatabaseBusy, printable, RequestError, statusOf, toProblem } from './problem.ts';
import { isPage } from './static-web.ts';

/** Every error leaves as problem+json; what is none of ours gets a report id that the log explains. */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  readonly #parts: Parts;

  constructor(@Inject(PARTS) parts: Parts) {
    this.#parts = parts;
  }

  catch(thrown: unknown, host: ArgumentsHost): void {
    const request = host.switchToHttp().getRequest<FastifyRequest>();
    const reply = host.switchToHttp().getResponse<FastifyReply>();
    const error = this.#known(thrown, request) ?? this.#unexpected(thrown, request);
    if (reply.sent || reply.raw.headersSent) return;
    // The page itself decides what to show at its own addresses.
    if (error.code === 'NOT_FOUND' && isPage(request.method, request.url) && typeof reply.sendFile === 'function') {
      void reply.status(200).sendFile('index.html');
      return;
    }
    const problem = toProblem(error);
    if (request.forge) request.forge.outcome = error.code;
    if (typeof error.params['retryAfterSeconds'] === 'number') {
      reply.header('retry-after', String(error.params['retryAfterSeconds']));
    } else if (statusOf(error) === 429 || statusOf(error) === 503) {
      reply.header('retry-after', '5');
    }
    if (problem.status === 401) reply.header('www-authenticate', 'Bearer realm="tiny-forge"');
    // The body of a refused upload is not read: the connection cannot carry another request.
    const isStreamed = request.routeOptions.config.endpoint?.streamed === true;
    if (problem.status === 413 && !isStreamed) reply.header('connection', 'close');
    if (isStreamed) lingerOver(request);
    void reply
      .status(problem.status)
      .header('content-type', 'application/problem+json; charset=utf-8')
      .send(JSON.stringify(problem));
  }

  #known(thrown: unknown, request: FastifyRequest): ForgeError | null {
    if (isForgeError(thrown))
      return thrown.kind === 'internal' && thrown.code !== 'INTERNAL' ? this.#log(thrown, request) : thrown;
    if (isDatabaseBusy(thrown)) return new RequestError('SERVICE_UNAVAILABLE', { part: 'database' }, { cause: thrown });
    const contentType = printable(request.headers['content-type'] ?? '(none)').slice(0, 100);
    const status = thrown instanceof HttpException ? { statusCode: thrown.getStatus() } : thrown;
    return typeof status === 'object' && status !== null ? fromFastify(status, BODY_LIMIT_BYTES, contentType) : null;
  }

  #log(error: ForgeError, request: FastifyRequest): ForgeError {
    this.#parts.log.error({ err: error, method: request.method, path: pathOf(request) }, 'a request failed');
    return error;
  }

  #unexpected(thrown: unknown, request: FastifyRequest): ForgeError {
    const reportId = randomUUID();
    this.#parts.log.error({ err: thrown, reportId, method: request.method, path: pathOf(request) }, 'unexpected error');
    return new RequestError('INTERNAL', { reportId }, { cause: thrown });
  }
}

const pathOf = (request: FastifyRequest): string => printable(request.url.split('?')[0] ?? '');
