import { ForgeError, type ErrorCode } from '@tiny-forge/contracts/domain';
import type { Deployer } from '@tiny-forge/deployer';
import { PluginRegistry } from '@tiny-forge/plugin-api';
import type {
  CaptureEngine,
  CaptureResult,
  FrozenPlan,
  ImportEngine,
  RestoreEngine,
  StepContext,
  TransactionStatus,
} from '@tiny-forge/volsnap';
import type { HostParts } from '../src/activities/host-parts.ts';

type Step =
  'preflight' | 'extract' | 'stop' | 'swap' | 'redeploy' | 'finish' | 'capture' | 'import' | 'deploy' | 'swapBack';
type Script = (context: { readonly signal: AbortSignal; readonly call: number }) => Promise<void>;

/**
 * Engines that only remember: the order of effects, and a journal that says how far each restore came. `scripts` makes single steps wait or fail.
 */
export class FakeEngines {
  readonly effects: string[] = [];
  readonly journals = new Map<string, TransactionStatus>();
  readonly scripts = new Map<Step, Script>();
  readonly #calls = new Map<string, number>();

  parts(): Pick<
    HostParts,
    'registry' | 'deployer' | 'restoreEngine' | 'captureEngine' | 'importEngine' | 'scopeContext'
  > {
    return {
      registry: new PluginRegistry([]),
      deployer: this.#deployer(),
      restoreEngine: this.#restoreEngine(),
      captureEngine: this.#captureEngine(),
      importEngine: this.#importEngine(),
      scopeContext: async (workloadId) => ({ dataDir: '/nowhere', workloadId, allowedRoots: [], forbidden: [] }),
    };
  }

  fail(step: Step, code: ErrorCode): void {
    this.scripts.set(step, async () => Promise.reject(new ForgeError({ code })));
  }

  /** The step waits until its signal fires or `release` is called. */
  hold(step: Step): () => void {
    let release = (): void => undefined;
    const released = new Promise<void>((resolve) => (release = resolve));
    this.scripts.set(step, async ({ signal }) => {
      await Promise.race([
        released,
        new Promise<never>((_resolve, reject) => {
          const abort = (): void => reject(new ForgeError({ code: 'CANCELLED' }));
          if (signal.aborted) abort();
          signal.addEventListener('abort', abort, { once: true });
        }),
      ]);
    });
    return release;
  }

  async #do(step: string, signal: AbortSignal): Promise<void> {
    const call = (this.#calls.get(step) ?? 0) + 1;
    this.#calls.set(step, call);
    this.effects.push(step);
    await this.scripts.get(step as Step)?.({ signal, call });
  }

  #write(plan: FrozenPlan, record: TransactionStatus['record']): void {
    const { txId, operationId, workloadId, snapshotId } = plan;
    this.journals.set(operationId, {
      txId,
      operationId,
      workloadId,
      snapshotId,
      record,
      done: record === 'DONE',
      before: 'running-healthy',
      safetySnapshotId: null,
      keepsOldTrees: false,
      kept: null,
      plan,
      startedAt: '2026-01-01T00:00:00.000Z',
    });
  }

  #restoreEngine(): RestoreEngine {
    const step = async (name: string, plan: FrozenPlan, signal: AbortSignal, record?: TransactionStatus['record']) => {
      await this.#do(name, signal);
      if (record) this.#write(plan, record);
    };
    const engine: Partial<RestoreEngine> = {
      preflight: async (input, { signal }) => {
        await this.#do('preflight', signal);
        return {
          txId: input.operationId.replaceAll('-', ''),
          operationId: input.operationId,
          workloadId: input.workload.id,
          workloadName: input.workload.name,
          revision: input.workload.revision,
          snapshotId: input.snapshot.id,
          targets: [],
          image: null,
        } as unknown as FrozenPlan;
      },
      extract: async (plan, { signal, onProgress }: StepContext) => {
        this.#write(plan, 'BEGIN');
        onProgress({ doneBytes: 1, totalBytes: 2, doneEntries: 1, totalEntries: 2 });
        await step('extract', plan, signal, 'STAGED');
        return { contentBytes: 2, entries: 2 };
      },
      stop: async (plan, { signal }) => {
        await step('stop', plan, signal, 'QUIESCED');
        return { before: 'running-healthy', containers: [], stoppedAt: new Date().toISOString() };
      },
      recordSafe: async (plan) => this.#write(plan, 'SAFE'),
      recordOldTreesKept: async (plan) => this.#write(plan, 'SAFE'),
      keptTrees: () => Promise.resolve([]),
      collectKept: () => Promise.resolve({ collected: [], problems: [] }),
      swap: (plan, { signal }) => step('swap', plan, signal, 'SWAPPED'),
      assertMayRedeploy: async () => ({ before: 'running-healthy' }),
      finish: async (plan, _instances, { signal }) => {
        await step('finish', plan, signal);
        this.journals.delete(plan.operationId);
        return { warnings: [] };
      },
      removeNew: (plan, signal) => step('removeNew', plan, signal),
      swapBack: (plan, signal) => step('swapBack', plan, signal, 'ROLLED_BACK'),
      resume: async (plan, _redeploy, signal) => {
        await step('resume', plan, signal);
        return { app: 'running' };
      },
      dropStaging: (plan, signal) => step('dropStaging', plan, signal),
      close: async (plan, signal) => {
        await step('close', plan, signal);
        this.journals.delete(plan.operationId);
      },
      needsOperator: async (plan) => {
        this.#write(plan, 'OPERATOR');
        return { volumes: [], commands: [] };
      },
      openTransactions: async () => [...this.journals.values()],
      status: async (operationId) => this.journals.get(operationId) ?? null,
      examine: async () => ({ verdict: 'unclear', guide: { volumes: [], commands: [] } }),
      assertMayStart: async () => undefined,
      heldBy: async () => null,
    };
    return engine as RestoreEngine;
  }

  #captureEngine(): CaptureEngine {
    const engine: Partial<CaptureEngine> = {
      capture: async (input, { signal }) => {
        await this.#do('capture', signal);
        return madeWith(input.quiesce);
      },
      warm: () => Promise.resolve(),
      dropWarm: () => Promise.resolve(),
      archivePath: () => '/nowhere',
    };
    return engine as CaptureEngine;
  }

  #importEngine(): ImportEngine {
    const engine: Partial<ImportEngine> = {
      import: async (_input, { signal }) => {
        await this.#do('import', signal);
        return madeWith('none');
      },
      discard: async () => void this.effects.push('discard'),
    };
    return engine as ImportEngine;
  }

  #deployer(): Deployer {
    const deployer: Partial<Deployer> = {
      dispatch: async ({ cause, signal }) => {
        await this.#do(cause === 'restore' ? 'redeploy' : cause, signal);
        const imageId = `sha256:${'1'.repeat(64)}`;
        return {
          instances: [{ containerId: 'c1', name: 'app', imageId }],
          image: { reference: 'app:1', imageId, digest: null },
          changed: true,
        };
      },
      status: async () => ({ state: 'running', instances: [] }),
      stopWorkload: async () => [],
      removeWorkload: async () => undefined,
      removeByOperation: async () => [],
      revertDispatch: async () => 'none',
    };
    return deployer as Deployer;
  }
}

const madeWith = (quiesce: CaptureResult['quiesce']): CaptureResult => ({
  file: '/nowhere',
  archiveSha256: '0'.repeat(64),
  bytes: 1,
  contentBytes: 1,
  entries: 1,
  manifest: { formatVersion: 1, quiesce, volumes: [] },
  volumes: [],
  notes: [],
  quiesce,
});
