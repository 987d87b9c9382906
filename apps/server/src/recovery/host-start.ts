import type { Logger } from 'pino';
import { isForgeError } from '@tiny-forge/contracts/domain';
import type { DockerPort } from '@tiny-forge/docker';
import type { CaptureEngine, RestoreEngine, SweepReport } from '@tiny-forge/volsnap';
import type { PartHealth } from '../operations/operation-gateway.ts';
import { probeDocker } from './probe-docker.ts';

/** A part's word with the code of what is wrong, as `/readyz` and refusals tell it. */
export interface PartWord extends PartHealth {
  readonly code: string | null;
}

export interface HostFacts {
  /** Recovery of interrupted restores, and why it cannot end yet. */
  recovery: PartWord;
  /** Something against the Engine that answers (DOCKER_NOT_ON_THIS_HOST, or not proven yet); null: nothing. */
  docker: PartWord | null;
}

export interface HostStartParts {
  readonly docker: DockerPort;
  readonly restoreEngine: Pick<RestoreEngine, 'sweep'>;
  readonly captureEngine: Pick<CaptureEngine, 'sweepPauses' | 'sweepUnfinished'>;
  readonly dataDir: string;
  readonly installation: string;
  readonly dockerHost: string | null;
  readonly log: Logger;
  /** Written to as things become known; the same object that readiness reads. */
  readonly facts: HostFacts;
  /** Called once, when the sweep has ended: from then on workers may poll and `/api` may answer. */
  readonly onSwept: () => void;
  readonly everyMs?: number;
}

const EVERY_MS = 1_500;
const ok: PartWord = { status: 'ok', detail: null, code: null };

/**
 * What a host process does before its worker polls (I7): sweep until it succeeds, then let work begin; prove that daemon and server see the same
 * files, again whenever the Engine comes back after it was away. Never throws; `facts` tells.
 */
export class HostStart {
  readonly #parts: HostStartParts;
  readonly #stop = new AbortController();
  #loop: Promise<void> | null = null;
  #swept = false;
  #proven = false;

  constructor(parts: HostStartParts) {
    this.#parts = parts;
    parts.facts.recovery = { status: 'starting', detail: null, code: null };
    parts.facts.docker = { status: 'starting', detail: null, code: null };
  }

  start(): void {
    this.#loop ??= this.#run();
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#loop;
  }

  async #run(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      if (!this.#swept) await this.#sweep();
      await this.#prove();
      await this.#sleep();
    }
  }

  async #sweep(): Promise<void> {
    const { restoreEngine, captureEngine, facts, log } = this.#parts;
    try {
      const report = await restoreEngine.sweep(this.#stop.signal);
      const unpaused = await captureEngine.sweepPauses(this.#stop.signal);
      await captureEngine.sweepUnfinished();
      this.#swept = true;
      facts.recovery = ok;
      if (isNews(report) || unpaused.length > 0) log.warn({ part: 'recovery', ...report, unpaused }, 'swept');
      this.#parts.onSwept();
    } catch (error) {
      if (this.#stop.signal.aborted) return;
      const word = wordOf(error, 'starting');
      if (facts.recovery.detail !== word.detail) log.error({ part: 'recovery', err: error }, 'the sweep did not end');
      facts.recovery = word;
    }
  }

  async #prove(): Promise<void> {
    const { docker, facts, log } = this.#parts;
    const { signal } = this.#stop;
    try {
      if (this.#proven) {
        await docker.info(AbortSignal.any([signal, AbortSignal.timeout(5_000)]));
        return;
      }
      await probeDocker({ ...this.#parts, signal, busybox: process.env['BUSYBOX_PATH'] || undefined });
      this.#proven = true;
      facts.docker = null;
      log.info({ part: 'docker' }, 'the Engine sees the files of this host');
    } catch (error) {
      if (signal.aborted) return;
      const code = isForgeError(error) ? error.code : null;
      // Another daemon may answer next time.
      this.#proven = false;
      const word = wordOf(error, code === 'DOCKER_NOT_ON_THIS_HOST' ? 'failed' : 'away');
      if (facts.docker?.detail !== word.detail)
        log.warn({ part: 'docker', why: word.detail, code }, 'no deploy, no restore');
      facts.docker = word;
    }
  }

  #sleep(): Promise<void> {
    const { signal } = this.#stop;
    if (signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(done, this.#parts.everyMs ?? EVERY_MS);
      function done(): void {
        clearTimeout(timer);
        signal.removeEventListener('abort', done);
        resolve();
      }
      signal.addEventListener('abort', done, { once: true });
    });
  }
}

const wordOf = (error: unknown, status: PartHealth['status']): PartWord => ({
  status,
  detail: (error instanceof Error ? error.message : String(error)).slice(0, 500),
  code: isForgeError(error) ? error.code : null,
});

const isNews = (report: SweepReport): boolean =>
  [report.swappedForward, report.swappedBack, report.policiesHeld, report.collected, report.corrupt].some(
    (list) => list.length > 0,
  );
