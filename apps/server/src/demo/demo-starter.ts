import { mkdir, readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { hostCheck } from '../http/host-names.ts';
import type { Parts } from '../parts.ts';
import type { Services } from '../services.ts';
import type { WorkloadRecord } from '../state/index.ts';
import type { ReadinessProbe } from '../system/readiness.ts';
import { DEMO_IMAGE, loadDemoImage } from './demo-image.ts';
import { freePort } from './free-port.ts';
import { ENTRIES_TARGET, GUESTBOOK_PORT, SEED, UPLOADS_TARGET } from './guestbook-files.ts';

export interface DemoOptions {
  readonly parts: Parts;
  readonly services: Pick<Services, 'workloads' | 'submissions'>;
  readonly readiness: ReadinessProbe;
  /** How often it looks whether everything is ready, ms. */
  readonly everyMs?: number;
}

/** `off`: not wanted at the first start; `wanted`: not made yet; else the id of the workload. */
const KEY = 'demo';
const MAX_FAILURES = 20;
const SUBMITTER = { name: 'tiny-forge', from: 'first start', idempotency: null };

/** Makes the guestbook at the very first start, once everything is ready. A start that dies on the way is taken up by the next one. */
export class DemoStarter {
  readonly #options: DemoOptions;
  readonly #stop = new AbortController();
  #work: Promise<void> | null = null;

  constructor(options: DemoOptions) {
    this.#options = options;
  }

  start(): void {
    this.#work ??= this.#run();
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#work;
  }

  /** Resolves when the demo is submitted, or is not to be made. */
  async #run(): Promise<void> {
    const { state, settings, log } = this.#options.parts;
    try {
      await state.meta.claim(KEY, settings.demo ? 'wanted' : 'off');
    } catch (error) {
      log.warn({ err: error }, 'the demo cannot be made');
      return;
    }
    for (let failures = 0; !this.#stop.signal.aborted && failures < MAX_FAILURES;) {
      try {
        if ((await state.meta.get(KEY)) !== 'wanted') return;
        const { status } = await this.#options.readiness.readiness();
        if (status === 'ok') return await this.#make();
      } catch (error) {
        failures += 1;
        log.warn({ err: error, failures }, 'the demo could not be made yet');
      }
      await this.#sleep();
    }
  }

  async #make(): Promise<void> {
    const { parts, services } = this.#options;
    const { state, docker } = parts;
    await loadDemoImage(docker, this.#stop.signal, process.env['BUSYBOX_PATH'] || undefined);
    const workload = (await this.#existing()) ?? (await this.#create());
    await this.#seed(workload);
    if ((await state.operations.list({ workloadId: workload.id }, null, 1)).items.length === 0) {
      await services.submissions.precheck('deploy', workload.id);
      await services.submissions.submit({ kind: 'deploy', workload, options: {} }, SUBMITTER);
    }
    await state.meta.set(KEY, workload.id);
  }

  /** Made by a start that died before it could say so. */
  async #existing(): Promise<WorkloadRecord | null> {
    const all = await this.#options.parts.state.workloads.all();
    return all.find(({ config }) => config.project === 'demo' && config.name === 'guestbook') ?? null;
  }

  async #create(): Promise<WorkloadRecord> {
    const { parts, services } = this.#options;
    // Whoever may reach us may reach the demo, and nobody else.
    const address = hostCheck(parts.settings.host).listensOnLoopbackOnly ? '127.0.0.1' : '0.0.0.0';
    const published = await freePort(address);
    return services.workloads.create({
      name: 'guestbook',
      project: 'demo',
      stage: 'prod',
      source: { type: 'image', image: DEMO_IMAGE, pull: 'never' },
      ports: [{ container: GUESTBOOK_PORT, published, hostIp: address }],
      volumes: [
        { scope: 'stage', source: 'entries', target: ENTRIES_TARGET },
        { scope: 'stage', source: 'uploads', target: UPLOADS_TARGET },
      ],
      health: { type: 'http', port: GUESTBOOK_PORT, path: '/cgi-bin/health', timeoutSeconds: 30 },
      stopTimeoutSeconds: 5,
    });
  }

  /** Before the first deploy, so that nothing has the directories mounted. */
  async #seed(workload: WorkloadRecord): Promise<void> {
    const { parts } = this.#options;
    const folders = new Map<string, string>();
    const context = await parts.scopeContext(workload.id);
    for (const volume of workload.config.volumes) {
      const { hostPath } = await parts.registry.scope(volume.scope).instance.resolve(volume, context);
      await mkdir(hostPath, { recursive: true, mode: 0o755 });
      folders.set(volume.target, hostPath);
    }
    const entries = folders.get(ENTRIES_TARGET) ?? '';
    if ((await readdir(entries)).length > 0) return;
    const now = parts.clock.now().getTime();
    for (const [index, { minutesAgo, name, text, colour }] of SEED.entries()) {
      const at = new Date(now - minutesAgo * 60_000).toISOString().replace(/\.\d+Z$/, 'Z');
      const id = `${at.replace(/\D/g, '')}-${index}`;
      await writeFile(path.join(entries, `${id}.txt`), `${at}\n${name}\n${text}\n`);
      await writeFile(path.join(folders.get(UPLOADS_TARGET) ?? '', `${id}.colour`), `${colour}\n`);
    }
  }

  #sleep(): Promise<void> {
    const { signal } = this.#stop;
    return new Promise((resolve) => {
      const timer = setTimeout(done, this.#options.everyMs ?? 1_000);
      function done(): void {
        clearTimeout(timer);
        signal.removeEventListener('abort', done);
        resolve();
      }
      signal.addEventListener('abort', done, { once: true });
    });
  }
}
