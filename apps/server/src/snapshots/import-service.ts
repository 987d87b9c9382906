import { Readable } from 'node:stream';
import { ForgeError, isForgeError, type ImportProfile } from '@tiny-forge/contracts/domain';
import { validationFailed } from '../http/problem.ts';
import type { Submissions, Submitted, Submitter } from '../operations/submission.ts';
import type { Parts } from '../parts.ts';
import type { WorkloadRecord } from '../state/index.ts';

export interface ImportRequest {
  readonly profile: ImportProfile;
  readonly links: 0 | 1;
  readonly target: string | null;
  readonly note: string | null;
  /** Bytes; null: the sender does not say. */
  readonly declaredBytes: number | null;
}

/** An uploaded archive into an operation of kind `import`. The operation does not exist before the upload lies on disk. */
export class ImportService {
  readonly #parts: Parts;
  readonly #submissions: Submissions;
  readonly #closing = new AbortController();

  constructor(parts: Parts, submissions: Submissions) {
    this.#parts = parts;
    this.#submissions = submissions;
  }

  /**
   * Reads the body at the speed of the disk. Nothing is left of an upload that was refused, whoever refused it.
   * @throws VALIDATION_FAILED, SERVICE_UNAVAILABLE, what `ImportEngine.receive` and a submission throw
   */
  async submit(workload: WorkloadRecord, body: Readable, request: ImportRequest, by: Submitter): Promise<Submitted> {
    const { profile, links, target, note, declaredBytes } = request;
    if (target !== null && !workload.config.volumes.some((volume) => volume.target === target)) {
      throw validationFailed([{ path: 'query.target', message: 'no volume of this workload' }]);
    }
    await this.#submissions.precheck('import', workload.id);
    const { importEngine } = this.#parts;
    const id = this.#parts.newId();
    const { settled } = await importEngine
      // Destroying the body would destroy the connection before the answer.
      .receive({
        uploadId: id,
        source: body.iterator({ destroyOnReturn: false }) as AsyncIterable<Uint8Array>,
        declaredBytes,
        signal: this.#closing.signal,
      })
      .catch((error: unknown) => {
        if (!isForgeError(error) || error.code !== 'CANCELLED') throw error;
        throw new ForgeError({ code: 'UPLOAD_INCOMPLETE', params: { why: 'the server is stopping' }, cause: error });
      });
    try {
      await this.#submissions.precheck('import', workload.id);
      return await this.#submissions.submit(
        {
          kind: 'import',
          workload,
          options: { upload: { id, profile, links, target } },
          snapshot: { note, quiesce: 'none' },
        },
        by,
      );
    } catch (error) {
      await importEngine.release(id).catch((why: unknown) => {
        this.#parts.log.warn(
          { err: why, uploadId: id },
          'a refused upload is still there; it is removed within a minute',
        );
      });
      throw error;
    } finally {
      settled();
    }
  }

  /** Removes uploads and unpacked trees that no open operation names. */
  async collect(): Promise<void> {
    const { importEngine, state, log } = this.#parts;
    const removed = await importEngine.collect(async () => {
      const open = await state.operations.open();
      return new Set(open.flatMap(({ input }) => (input.options.upload ? [input.options.upload.id] : [])));
    });
    if (removed.length > 0) log.info({ part: 'imports', removed }, 'uploads that nobody needs were removed');
  }

  /** Uploads under way are refused. */
  close(): void {
    this.#closing.abort();
  }
}
