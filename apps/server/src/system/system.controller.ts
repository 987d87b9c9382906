import { Controller, Get, Inject, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Readiness } from '@tiny-forge/contracts/domain';
import { authenticate } from '../http/authentication.ts';
import { Handles } from '../http/endpoint.ts';
import { ENDPOINTS } from '../http/endpoints.ts';
import { hostCheck } from '../http/host-names.ts';
import { openApiDocument } from '../http/openapi.ts';
import { RequestError } from '../http/problem.ts';
import { PARTS } from '../parts.ts';
import type { Parts } from '../parts.ts';
import { Services } from '../services.ts';
import { Metrics } from './metrics.ts';
import { systemInfo } from './system-info.ts';
import { VERSION } from './version.ts';

@Controller()
export class SystemController {
  readonly #parts: Parts;
  readonly #services: Services;
  readonly #metrics: Metrics;
  readonly #isLoopback: boolean;
  readonly #document = openApiDocument(VERSION);

  constructor(@Inject(PARTS) parts: Parts, @Inject(Services) services: Services, @Inject(Metrics) metrics: Metrics) {
    this.#parts = parts;
    this.#services = services;
    this.#metrics = metrics;
    this.#isLoopback = hostCheck(parts.settings.host).listensOnLoopbackOnly;
  }

  @Handles(ENDPOINTS.system)
  system(): Promise<unknown> {
    return systemInfo(this.#parts, this.#services.readiness);
  }

  @Handles(ENDPOINTS.openapi)
  openapi(): unknown {
    return this.#document;
  }

  /** The process is up; says nothing of its parts. */
  @Get('/healthz')
  healthz(): unknown {
    return { status: 'ok' };
  }

  @Get('/readyz')
  async readyz(@Res({ passthrough: true }) reply: FastifyReply): Promise<Readiness> {
    const readiness = await this.#services.readiness.readiness();
    void reply.status(readiness.status === 'ok' ? 200 : 503).header('cache-control', 'no-store');
    return readiness;
  }

  @Get('/metrics')
  async metrics(@Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): Promise<string> {
    const isForwarded = Object.keys(request.headers).some(
      (name) => name.startsWith('x-forwarded-') || name === 'forwarded',
    );
    if (!this.#isLoopback || isForwarded) {
      const principal = await authenticate(request, this.#parts.state);
      if (!principal) throw new RequestError('UNAUTHENTICATED');
      if (!principal.permissions.includes('system:admin')) {
        throw new RequestError('FORBIDDEN', { permission: 'system:admin' });
      }
    }
    void reply.header('content-type', this.#metrics.contentType).header('cache-control', 'no-store');
    return this.#metrics.text();
  }
}
