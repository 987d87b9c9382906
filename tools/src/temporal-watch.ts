import { findLivingTemporal, ensureTemporalServer, type TemporalPlan } from './temporal-server.ts';
import type { Terminal } from './terminal.ts';

const LOOK_EVERY_MS = 1_000;
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 30_000;

export interface TemporalWatch {
  /** Ends the watch; resolves when no restart is under way any more. */
  stop(): Promise<void>;
}

/** Brings the embedded server back on the same ports when it dies, with growing pauses, until stopped. */
export function watchTemporal(binary: string, plan: TemporalPlan, terminal: Terminal): TemporalWatch {
  let stopped = false;
  let wake: () => void = () => undefined;
  const sleep = (ms: number): Promise<void> =>
    new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  const loop = async (): Promise<void> => {
    let pause = FIRST_PAUSE_MS;
    while (!stopped) {
      await sleep(LOOK_EVERY_MS);
      if (stopped || findLivingTemporal(plan) !== null) {
        continue;
      }
      terminal.say('temporal', 'it died; starting it again on the same port');
      try {
        const { adopted } = await ensureTemporalServer(binary, plan, 'same');
        terminal.say('temporal', adopted ? 'another process has started it' : 'up again');
        pause = FIRST_PAUSE_MS;
      } catch (error) {
        terminal.problem(
          `  temporal   it does not come back (${error instanceof Error ? error.message : String(error)}); next try in ${pause / 1000} s`,
        );
        await sleep(pause);
        pause = Math.min(pause * 2, LONGEST_PAUSE_MS);
      }
    }
  };
  const running = loop();
  return {
    async stop() {
      stopped = true;
      wake();
      await running;
    },
  };
}
