import { Controller, Inject, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { ENDED_STATES, type OperationKind, type OperationState } from '@tiny-forge/contracts/domain';
import { Handles } from '../http/endpoint.ts';
import { ENDPOINTS } from '../http/endpoints.ts';
import { acceptedAnswer, cursorOf, principalOf, resourceOf, submitterOf } from '../http/request.ts';
import { PARTS, GATEWAY } from '../parts.ts';
import type { Parts } from '../parts.ts';
import { Services } from '../services.ts';
import type { OperationGateway } from './operation-gateway.ts';

interface ListQuery {
  readonly workloadId?: string;
  readonly kind?: readonly OperationKind[];
  readonly state?: readonly OperationState[];
  readonly cursor?: string;
  readonly limit: number;
}

@Controller()
export class OperationsController {
  readonly #parts: Parts;
  readonly #gateway: OperationGateway;
  readonly #services: Services;

  constructor(
    @Inject(PARTS) parts: Parts,
    @Inject(GATEWAY) gateway: OperationGateway,
    @Inject(Services) services: Services,
  ) {
    this.#parts = parts;
    this.#gateway = gateway;
    this.#services = services;
  }

  @Handles(ENDPOINTS.listOperations)
  async list(@Req() request: FastifyRequest): Promise<unknown> {
    const { workloadId, kind, state, cursor, limit } = request.forge.query as ListQuery;
    const ended: readonly string[] = ENDED_STATES;
    const page = await this.#parts.state.operations.list(
      {
        ...(workloadId === undefined ? {} : { workloadId }),
        ...(kind === undefined ? {} : { kinds: kind }),
        // An open row's state may be overlaid: all open ones are read, then judged by what is told.
        ...(state === undefined ? {} : { states: state, includeOpen: state.some((each) => !ended.includes(each)) }),
      },
      cursorOf(cursor),
      limit,
    );
    const items = await this.#services.operationPresenter.presentAll(
      page.items,
      principalOf(request).permissions,
      false,
    );
    return {
      items: state === undefined ? items : items.filter((item) => state.includes(item.state)),
      nextCursor: page.nextCursor,
    };
  }

  @Handles(ENDPOINTS.getOperation)
  get(@Req() request: FastifyRequest): Promise<unknown> {
    const { permissions } = principalOf(request);
    return this.#services.operationPresenter.present(resourceOf(request, 'operation'), permissions);
  }

  @Handles(ENDPOINTS.operationEvents)
  events(@Req() request: FastifyRequest, @Res() reply: FastifyReply): void {
    this.#services.streams.ofOperation(request, reply, resourceOf(request, 'operation').id);
  }

  @Handles(ENDPOINTS.operationHistory)
  history(@Req() request: FastifyRequest): Promise<unknown> {
    return this.#gateway.history(resourceOf(request, 'operation').id);
  }

  @Handles(ENDPOINTS.retryStep)
  async retryStep(@Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): Promise<unknown> {
    const operation = resourceOf(request, 'operation');
    const { safety } = request.forge.body as { safety?: 'keep-old-tree' };
    request.forge.auditDetails = { operationId: operation.id, safety: safety ?? null };
    await this.#services.operations.retryStep(operation, safety, principalOf(request).permissions);
    return acceptedAnswer(reply, { operationId: operation.id, snapshotId: null, queuedBehind: null });
  }

  @Handles(ENDPOINTS.abortOperation)
  async abort(@Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): Promise<unknown> {
    const operation = resourceOf(request, 'operation');
    await this.#services.operations.abort(operation, principalOf(request).name);
    return acceptedAnswer(reply, { operationId: operation.id, snapshotId: null, queuedBehind: null });
  }

  @Handles(ENDPOINTS.replayOperation)
  async replay(@Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): Promise<unknown> {
    const operation = resourceOf(request, 'operation');
    const { permissions } = principalOf(request);
    const submitted = await this.#services.operations.replay(operation, permissions, submitterOf(request));
    return acceptedAnswer(reply, submitted, operation.kind === 'snapshot' ? 'snapshot' : undefined);
  }

  @Handles(ENDPOINTS.undoOperation)
  async undo(@Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): Promise<unknown> {
    const operation = resourceOf(request, 'operation');
    return acceptedAnswer(reply, await this.#services.operations.undo(operation, submitterOf(request)));
  }

  @Handles(ENDPOINTS.recheckOperation)
  async recheck(@Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): Promise<unknown> {
    const { accept } = request.forge.body as { accept?: 'as-is' };
    const operation = resourceOf(request, 'operation');
    return acceptedAnswer(reply, await this.#services.operations.recheck(operation, accept, submitterOf(request)));
  }

  @Handles(ENDPOINTS.events)
  allEvents(@Req() request: FastifyRequest, @Res() reply: FastifyReply): void {
    this.#services.streams.ofAll(request, reply);
  }
}
