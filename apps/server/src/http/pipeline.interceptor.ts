import { Inject, Injectable, type CallHandler, type ExecutionContext, type NestInterceptor } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { defer, lastValueFrom, type Observable } from 'rxjs';
import { PARTS } from '../parts.ts';
import type { Parts } from '../parts.ts';
import type { Endpoint } from './endpoint.ts';
import { Idempotency } from './idempotency.ts';
import { RequestError } from './problem.ts';
import { validate } from './validate.ts';

/** What follows the body, in the order of api.md: 422 fields, 428, 412 confirm, idempotent answer; then the handler (503, 409, 412, 422). */
@Injectable()
export class PipelineInterceptor implements NestInterceptor {
  readonly #idempotency: Idempotency;

  constructor(@Inject(PARTS) parts: Parts) {
    this.#idempotency = new Idempotency(parts.state);
  }

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const request = context.switchToHttp().getRequest<FastifyRequest>();
    const reply = context.switchToHttp().getResponse<FastifyReply>();
    const endpoint = request.routeOptions.config.endpoint;
    if (!endpoint) return next.handle();
    return defer(async () => {
      checkFields(request, endpoint);
      if (request.forge.missing === null) checkConfirmation(request, endpoint);
      const run = (): Promise<unknown> => {
        if (request.forge.missing !== null) throw request.forge.missing;
        return lastValueFrom(next.handle(), { defaultValue: undefined });
      };
      if (!endpoint.idempotent || request.headers['idempotency-key'] === undefined) return run();
      return this.#idempotency.answer(request, reply, endpoint, run);
    });
  }
}

function checkFields(request: FastifyRequest, endpoint: Endpoint): void {
  const { forge } = request;
  if (endpoint.query) forge.query = validate(endpoint.query, request.query, 'query');
  // A body that is absent is an empty object: what is required is then named field by field.
  if (endpoint.body) forge.body = validate(endpoint.body, request.body === undefined ? {} : request.body);
}

function checkConfirmation(request: FastifyRequest, endpoint: Endpoint): void {
  const confirmation = endpoint.confirm?.({ resources: request.forge.resources, query: request.forge.query });
  if (!confirmation) return;
  const { header, expected } = confirmation;
  const given = request.headers[header.toLowerCase()];
  if (given === undefined) throw new RequestError('CONFIRM_REQUIRED', { header });
  if (given !== expected) throw new RequestError('CONFIRM_MISMATCH', { header });
}
