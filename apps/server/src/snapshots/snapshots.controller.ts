import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import path from 'node:path';
import { Controller, Inject, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { IMPORT_PROFILES, type QuiesceMode } from '@tiny-forge/contracts/domain';
import { Handles } from '../http/endpoint.ts';
import { ENDPOINTS } from '../http/endpoints.ts';
import { RequestError, validationFailed } from '../http/problem.ts';
import { acceptedAnswer, cursorOf, resourceOf, submitterOf } from '../http/request.ts';
import { PARTS } from '../parts.ts';
import type { Parts } from '../parts.ts';
import type { RestoreRequest } from '../restore/restore-service.ts';
import { Services } from '../services.ts';
import { presentSnapshots } from './snapshot-presenter.ts';

interface ImportQuery {
  readonly links: '0' | '1';
  readonly target?: string;
  readonly note?: string;
}

@Controller()
export class SnapshotsController {
  readonly #parts: Parts;
  readonly #services: Services;

  constructor(@Inject(PARTS) parts: Parts, @Inject(Services) services: Services) {
    this.#parts = parts;
    this.#services = services;
  }

  @Handles(ENDPOINTS.listSnapshots)
  async list(@Req() request: FastifyRequest): Promise<unknown> {
    const { cursor, limit } = request.forge.query as { cursor?: string; limit: number };
    const { state } = this.#parts;
    const page = await state.snapshots.list(resourceOf(request, 'workload').id, cursorOf(cursor), limit);
    return { items: await presentSnapshots(page.items, state), nextCursor: page.nextCursor };
  }

  @Handles(ENDPOINTS.createSnapshot)
  async create(@Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): Promise<unknown> {
    const workload = resourceOf(request, 'workload');
    const { note = null, quiesce = 'pause' } = request.forge.body as { note?: string; quiesce?: QuiesceMode };
    await this.#services.submissions.precheck('snapshot', workload.id);
    const submitted = await this.#services.submissions.submit(
      { kind: 'snapshot', workload, options: { quiesce }, snapshot: { note, quiesce } },
      submitterOf(request),
    );
    return acceptedAnswer(reply, submitted, 'snapshot');
  }

  @Handles(ENDPOINTS.importSnapshot)
  async import(@Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): Promise<unknown> {
    const { links, target = null, note = null } = request.forge.query as ImportQuery;
    const profile = IMPORT_PROFILES.find((each) => each === request.headers['x-import-profile']);
    if (profile === undefined) {
      throw validationFailed([{ path: 'X-Import-Profile', message: `one of ${IMPORT_PROFILES.join(', ')}` }]);
    }
    const length = request.headers['content-length'];
    const submitted = await this.#services.imports.submit(
      resourceOf(request, 'workload'),
      request.raw,
      {
        profile,
        links: links === '1' ? 1 : 0,
        target,
        note,
        declaredBytes: length === undefined ? null : Number(length),
      },
      submitterOf(request),
    );
    return acceptedAnswer(reply, submitted, 'snapshot');
  }

  @Handles(ENDPOINTS.getSnapshot)
  async get(@Req() request: FastifyRequest): Promise<unknown> {
    const [snapshot] = await presentSnapshots([resourceOf(request, 'snapshot')], this.#parts.state);
    return snapshot;
  }

  @Handles(ENDPOINTS.deleteSnapshot)
  async delete(@Req() request: FastifyRequest): Promise<void> {
    const { state, captureEngine } = this.#parts;
    const { id, workloadId, codec } = resourceOf(request, 'snapshot');
    const refusal = await state.transaction(async (stores) => {
      const now = await stores.snapshots.get(id);
      const maker = now?.operationId ? await stores.operations.get(now.operationId) : null;
      if (now?.state === 'CREATING' && maker?.endedAt === null) return { madeBy: maker };
      return stores.snapshots.delete(id);
    });
    if (refusal && 'madeBy' in refusal) {
      const { id: operationId, kind } = refusal.madeBy;
      throw new RequestError('OPERATION_IN_PROGRESS', { operationId, kind });
    }
    if (refusal) throw new RequestError('SNAPSHOT_PINNED', { operationId: refusal.heldBy });
    await this.#services.archives.forget(captureEngine.archivePath(workloadId, id, codec));
    try {
      await captureEngine.remove(workloadId, id);
    } catch (error) {
      // The catalogue no longer has it, so it is gone for everybody; the file is only space.
      this.#parts.log.warn({ err: error, snapshotId: id }, 'the file of a deleted snapshot is still there');
    }
  }

  @Handles(ENDPOINTS.snapshotArchive)
  async archive(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    const workload = resourceOf(request, 'workload');
    const snapshot = resourceOf(request, 'snapshot');
    if (snapshot.state !== 'READY') {
      throw new RequestError('SNAPSHOT_NOT_READY', { snapshotId: snapshot.id, state: snapshot.state });
    }
    const file = this.#parts.captureEngine.archivePath(workload.id, snapshot.id, snapshot.codec);
    const size = await stat(file).then(
      (found) => found.size,
      () => null,
    );
    if (size === null) throw new RequestError('ARCHIVE_MISSING', { snapshotId: snapshot.id });
    const name = `${workload.config.name}-${snapshot.createdAt.replace(/[^0-9TZ]/g, '')}${/\.tar\..*$/.exec(path.basename(file))?.[0] ?? ''}`;
    void reply
      .header('content-type', snapshot.codec === 'zstd' ? 'application/zstd' : 'application/gzip')
      .header('content-length', size)
      .header('content-disposition', `attachment; filename="${name}"`);
    if (snapshot.archiveSha256 !== null) void reply.header('etag', `"${snapshot.archiveSha256}"`);
    await reply.send(createReadStream(file, { end: Math.max(0, size - 1) }));
  }

  @Handles(ENDPOINTS.restorePlan)
  plan(@Req() request: FastifyRequest): Promise<unknown> {
    const { safety } = request.forge.query as { safety?: RestoreRequest['safety'] };
    return this.#services.restores.plan(resourceOf(request, 'workload'), resourceOf(request, 'snapshot'), safety);
  }

  @Handles(ENDPOINTS.restoreSnapshot)
  async restore(@Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): Promise<unknown> {
    const submitted = await this.#services.restores.submit(
      resourceOf(request, 'workload'),
      resourceOf(request, 'snapshot'),
      request.forge.body as RestoreRequest,
      submitterOf(request),
    );
    return acceptedAnswer(reply, submitted);
  }
}
