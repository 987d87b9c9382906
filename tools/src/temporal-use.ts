import type { Settings } from '@tiny-forge/contracts/settings';
import type { Machine } from './commands.ts';
import { exclusively } from './exclusive.ts';
import { waitUntil } from './process-identity.ts';
import { ProvisionError } from './provision-error.ts';
import { otherStarts } from './start-register.ts';
import { downloadBySdk, ensureTemporalBinary } from './temporal-binary.ts';
import {
  ensureTemporalServer,
  findLivingTemporal,
  planTemporal,
  stopTemporalServer,
  type TemporalPlan,
} from './temporal-server.ts';
import type { Terminal } from './terminal.ts';
import { watch, type Watch } from './watch.ts';

/** How one `npm start` uses a Temporal server. `start` comes once, before anything else but `release`. */
export interface TemporalUse {
  start(): Promise<void>;
  /** What the server is told. */
  env(): NodeJS.ProcessEnv;
  /** One line for the reader. */
  shown(): string;
  /**
   * Ends the use; stops the embedded server when it was for us to stop and no other living start needs it.
   * @param unregister takes our own start out of the register, at the moment when nobody else can come in between
   */
  release(unregister: () => void): Promise<void>;
}

/** A server of the user's own: never started, never stopped. That it answers is the product's to watch. */
export function givenTemporal(settings: Settings, address: string): TemporalUse {
  return {
    start: async () => undefined,
    env: () => ({ TEMPORAL_NAMESPACE: settings.temporal.namespace }),
    shown: () => `${address}, namespace ${settings.temporal.namespace}`,
    release: async () => undefined,
  };
}

const WAIT_FOR_OTHERS_MS = 30_000;

/** The embedded server of the data folder. Role `api` only ever adopts it. */
export async function embeddedTemporal(machine: Machine, terminal: Terminal, settings: Settings): Promise<TemporalUse> {
  const plan = planTemporal(settings.dataDir, settings.temporal.namespace);
  if (settings.role === 'api') return adoptingUse(plan, terminal);
  const binary = await ensureTemporalBinary(machine, terminal, downloadBySdk);
  let watching: Watch | null = null;
  return {
    ...living(plan),
    async start() {
      const { record, adopted } = await ensureTemporalServer(binary.file, plan);
      terminal.say('temporal', `${adopted ? 'ours is still up' : 'embedded server'} at ${record.address}`);
      watching = watchTemporal(binary.file, plan, terminal);
    },
    async release(unregister) {
      await watching?.stop();
      await exclusively(`${plan.recordFile}.lock`, async () => {
        unregister();
        const [other] = otherStarts(settings.dataDir);
        if (other !== undefined) terminal.say('temporal', `stays up for process ${other.pid} (role ${other.role})`);
        else await stopTemporalServer(plan);
      });
    },
  };
}

/** The same ports again: the running server knows no others. */
export function watchTemporal(binary: string, plan: TemporalPlan, terminal: Terminal): Watch {
  return watch(
    {
      part: 'temporal',
      graceMs: 0,
      isAlive: () => findLivingTemporal(plan) !== null,
      bringBack: async () => void (await ensureTemporalServer(binary, plan, 'same')),
    },
    terminal,
  );
}

function adoptingUse(plan: TemporalPlan, terminal: Terminal): TemporalUse {
  return {
    ...living(plan),
    async start() {
      if (findLivingTemporal(plan) === null)
        terminal.say('temporal', 'waiting for the main process of this data folder to start it');
      if (await waitUntil(() => findLivingTemporal(plan) !== null, WAIT_FOR_OTHERS_MS)) return;
      throw new ProvisionError({
        code: 'TEMPORAL_NOT_RUNNING',
        what: 'no Temporal server runs for this data folder',
        why: `role api starts none, and nobody else did within ${WAIT_FOR_OTHERS_MS / 1000} s`,
        getIt: [
          'npm start, with the same TINY_FORGE_DATA and without TINY_FORGE_ROLE, beside this one',
          'TEMPORAL_ADDRESS=host:7233, with a server of your own',
        ],
      });
    },
    release: async () => undefined,
  };
}

function living(plan: TemporalPlan): Pick<TemporalUse, 'env' | 'shown'> {
  const record = () => {
    const found = findLivingTemporal(plan);
    if (found === null) throw new Error('the embedded Temporal server is not running');
    return found;
  };
  return {
    env: () => ({
      TEMPORAL_ADDRESS: record().address,
      TEMPORAL_NAMESPACE: record().namespace,
      TEMPORAL_UI_URL: record().uiUrl,
    }),
    shown: () => `${record().uiUrl} (embedded)`,
  };
}
