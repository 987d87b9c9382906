import { Controller, Inject, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { OperationKind, Workload } from '@tiny-forge/contracts/domain';
import { Handles } from '../http/endpoint.ts';
import { ENDPOINTS } from '../http/endpoints.ts';
import { acceptedAnswer, cursorOf, resourceOf, submitterOf } from '../http/request.ts';
import { PARTS } from '../parts.ts';
import type { Parts } from '../parts.ts';
import { Services } from '../services.ts';
import { logLines } from './log-lines.ts';
import { etagOf } from './workload-service.ts';

@Controller()
export class WorkloadsController {
  readonly #parts: Parts;
  readonly #services: Services;

  constructor(@Inject(PARTS) parts: Parts, @Inject(Services) services: Services) {
    this.#parts = parts;
    this.#services = services;
  }

  @Handles(ENDPOINTS.listWorkloads)
  async list(@Req() request: FastifyRequest): Promise<unknown> {
    const { cursor, limit } = request.forge.query as { cursor?: string; limit: number };
    const page = await this.#parts.state.workloads.list(cursorOf(cursor), limit);
    const items = await Promise.all(page.items.map((record) => this.#services.workloadPresenter.present(record)));
    return { items, nextCursor: page.nextCursor };
  }

  @Handles(ENDPOINTS.createWorkload)
  async create(@Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): Promise<Workload> {
    const record = await this.#services.workloads.create(request.forge.body);
    request.forge.auditDetails = { workloadId: record.id, name: record.config.name };
    void reply.header('location', `/api/workloads/${record.id}`).header('etag', etagOf(record));
    return this.#services.workloadPresenter.present(record);
  }

  @Handles(ENDPOINTS.getWorkload)
  async get(@Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): Promise<Workload> {
    const record = resourceOf(request, 'workload');
    void reply.header('etag', etagOf(record));
    return this.#services.workloadPresenter.present(record);
  }

  @Handles(ENDPOINTS.patchWorkload)
  async patch(@Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): Promise<Workload> {
    const { id } = resourceOf(request, 'workload');
    const patch = request.forge.body as Record<string, unknown>;
    const record = await this.#services.workloads.patch(id, patch, request.headers['if-match']);
    request.forge.auditDetails = { revision: record.revision, fields: Object.keys(patch).join(' ') };
    void reply.header('etag', etagOf(record));
    return this.#services.workloadPresenter.present(record);
  }

  @Handles(ENDPOINTS.deleteWorkload)
  async delete(@Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): Promise<unknown> {
    const { data } = request.forge.query as { data: 'keep' | 'delete' };
    return this.#submit(request, reply, 'delete', { deleteData: data === 'delete' });
  }

  @Handles(ENDPOINTS.deployWorkload)
  deploy(@Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): Promise<unknown> {
    return this.#submit(request, reply, 'deploy');
  }

  @Handles(ENDPOINTS.stopWorkload)
  stop(@Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): Promise<unknown> {
    return this.#submit(request, reply, 'stop');
  }

  @Handles(ENDPOINTS.startWorkload)
  start(@Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): Promise<unknown> {
    return this.#submit(request, reply, 'start');
  }

  @Handles(ENDPOINTS.workloadLogs)
  logs(@Req() request: FastifyRequest): Promise<unknown> {
    const { tail } = request.forge.query as { tail: number };
    return logLines(this.#parts, resourceOf(request, 'workload').id, tail);
  }

  async #submit(
    request: FastifyRequest,
    reply: FastifyReply,
    kind: OperationKind,
    options: { readonly deleteData?: boolean } = {},
  ): Promise<unknown> {
    const workload = resourceOf(request, 'workload');
    await this.#services.submissions.precheck(kind, workload.id);
    const submitted = await this.#services.submissions.submit({ kind, workload, options }, submitterOf(request));
    return acceptedAnswer(reply, submitted);
  }
}
