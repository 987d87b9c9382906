import type { FastifyInstance, FastifyRequest } from 'fastify';
import { RequestError } from './problem.ts';

export const BODY_LIMIT_BYTES = 1024 * 1024;

/** JSON and nothing else; an empty body is none. */
export function registerBodyParsing(fastify: FastifyInstance): void {
  fastify.removeAllContentTypeParsers();
  const parse = fastify.getDefaultJsonParser('error', 'error');
  fastify.addContentTypeParser(
    ['application/json', 'application/merge-patch+json'],
    { parseAs: 'string', bodyLimit: BODY_LIMIT_BYTES },
    (request: FastifyRequest, text, done) => {
      if (text.length === 0) return done(null, undefined);
      return parse(request, text as string, (error, value) => {
        done(error === null ? null : new RequestError('MALFORMED_BODY', { why: 'it is not JSON' }), value);
      });
    },
  );
}
