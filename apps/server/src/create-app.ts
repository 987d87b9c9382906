import 'reflect-metadata';
import cookie from '@fastify/cookie';
import type { FastifyReply } from 'fastify';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { AppModule } from './app.module.ts';
import { registerAudit } from './http/audit.ts';
import { BODY_LIMIT_BYTES, registerBodyParsing } from './http/body-parsing.ts';
import { hostCheck } from './http/host-names.ts';
import { RequestError, toProblem } from './http/problem.ts';
import { registerEarlyRefusals } from './http/refusals.ts';
import { registerSecurityHeaders } from './http/security-headers.ts';
import { findWebApp, registerWebApp } from './http/static-web.ts';
import type { OperationGateway } from './operations/operation-gateway.ts';
import type { Parts } from './parts.ts';
import { Services } from './services.ts';
import { Metrics } from './system/metrics.ts';
import type { ReadinessProbe } from './system/readiness.ts';

export interface AppOptions {
  readonly parts: Parts;
  readonly gateway: OperationGateway;
  readonly readiness: ReadinessProbe;
  /** Folder of the built web app; where there is none, the API alone is served. */
  readonly webRoot: string;
}

export interface App {
  readonly services: Services;
  /** @returns the port it listens on. @throws what `listen` throws */
  listen(host: string, port: number): Promise<number>;
  /** Streams end with a last comment, then running requests, then the port. */
  close(): Promise<void>;
}

/** The HTTP side of the server: every hook that decides is registered here, in the order in which it decides. */
export async function createApp({ parts, gateway, readiness, webRoot }: AppOptions): Promise<App> {
  const adapter = new FastifyAdapter({
    bodyLimit: BODY_LIMIT_BYTES,
    trustProxy: 'loopback',
    forceCloseConnections: 'idle',
    return503OnClosing: false,
    routerOptions: { maxParamLength: 300 },
    // An upload may take hours: bodies have deadlines of their own, see body-parsing.
    requestTimeout: 0,
    // An address that cannot be decoded or is too long reaches no hook and no filter.
    frameworkErrors: (_error: unknown, _request: unknown, reply: FastifyReply) => {
      const problem = toProblem(new RequestError('NOT_FOUND', { what: 'This address' }));
      void reply
        .status(problem.status)
        .header('content-type', 'application/problem+json; charset=utf-8')
        .header('x-content-type-options', 'nosniff')
        .send(JSON.stringify(problem));
    },
    logger: false,
  });
  const app = await NestFactory.create<NestFastifyApplication>(AppModule.of(parts, gateway, readiness), adapter, {
    logger: false,
    bodyParser: false,
    abortOnError: false,
  });
  const fastify = adapter.getInstance();
  const web = findWebApp(webRoot);
  registerBodyParsing(fastify);
  await fastify.register(cookie);
  await registerSecurityHeaders(fastify, web?.indexHtml ?? null);
  registerEarlyRefusals(fastify, {
    state: parts.state,
    hosts: hostCheck(parts.settings.host),
    isStarted: () => readiness.isStarted,
    servesApi: parts.settings.role === 'all' || parts.settings.role === 'api',
  });
  registerAudit(fastify, parts.state, parts.log);
  app.get(Metrics).register(fastify);
  if (web) await registerWebApp(fastify, web);
  await app.init();
  const services = app.get(Services);
  return {
    services,
    listen: async (host, port) => {
      await app.listen(port, host);
      const address = app.getHttpServer().address() as { port: number };
      return address.port;
    },
    close: async () => {
      await services.streams.close();
      services.imports.close();
      await services.archives.close();
      await app.close();
    },
  };
}
