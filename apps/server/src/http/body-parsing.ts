import type { FastifyInstance, FastifyRequest } from 'fastify';
import { printable, RequestError } from './problem.ts';

export const BODY_LIMIT_BYTES = 1024 * 1024;
/** How long a body that is read whole may take to arrive, ms. Those that are streamed watch their sender themselves. */
const BODY_MS = 120_000;
/** How long what is left of a refused upload is read and thrown away, so that its sender can read the answer, ms. */
const LINGER_MS = 5_000;

const isStreamed = (request: FastifyRequest): boolean => request.routeOptions.config.endpoint?.streamed === true;
const notStreamed = /^(?:multipart\/|application\/(?:merge-patch\+)?json\b)/i;

/** JSON and nothing else, an empty body is none; and, for the endpoints that stream, anything that is not JSON nor a form. */
export function registerBodyParsing(fastify: FastifyInstance): void {
  fastify.removeAllContentTypeParsers();
  const parse = fastify.getDefaultJsonParser('error', 'error');
  const unsupported = (request: FastifyRequest): RequestError => {
    const contentType = printable(request.headers['content-type'] ?? '(none)').slice(0, 100);
    return new RequestError('UNSUPPORTED_MEDIA_TYPE', { contentType });
  };
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
  fastify.addContentTypeParser('*', { bodyLimit: Number.MAX_SAFE_INTEGER }, (request, _payload, done) => {
    return isStreamed(request) ? done(null, undefined) : done(unsupported(request), undefined);
  });
  // A parser of JSON would read it to the end first.
  fastify.addHook('preParsing', async (request, _reply, payload) => {
    if (isStreamed(request) && notStreamed.test(request.headers['content-type'] ?? '')) throw unsupported(request);
    return payload;
  });
  registerDeadline(fastify);
}

/** Node's own deadline for a request knows no exception for uploads. */
function registerDeadline(fastify: FastifyInstance): void {
  fastify.addHook('onRequest', (request, reply, done) => {
    const { raw } = request;
    if (!isStreamed(request)) {
      const timer = setTimeout(() => {
        if (!raw.complete && !reply.raw.headersSent)
          raw.socket.end('HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
        if (!raw.complete) raw.destroy();
      }, BODY_MS);
      timer.unref();
      raw.once('close', () => clearTimeout(timer));
    }
    done();
  });
}

/** After an answer that did not wait for the body: what still comes is thrown away for a while, then the connection ends. */
export function lingerOver({ raw }: FastifyRequest): void {
  if (raw.complete || raw.destroyed) return;
  raw.resume();
  const timer = setTimeout(() => {
    if (!raw.complete) raw.socket.destroy();
  }, LINGER_MS);
  timer.unref();
  raw.once('close', () => clearTimeout(timer));
}
