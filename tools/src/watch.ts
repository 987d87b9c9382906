import type { Terminal } from './terminal.ts';

export interface Watch {
  /** Ends the watch; resolves when no restart is under way any more. */
  stop(): Promise<void>;
}

/** A daemon of ours that is brought back when it dies. */
export interface Watched {
  /** As the reader knows it, for example `temporal`. */
  readonly part: string;
  /** How long it may be away before we start it: somebody may be restarting it on purpose. */
  readonly graceMs: number;
  isAlive(): boolean;
  /** Starts it, or finds that another process has. */
  bringBack(): Promise<void>;
}

const LOOK_EVERY_MS = 1_000;
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 30_000;

/** Looks every second and brings the daemon back when it is away, with growing pauses between attempts, until stopped. */
export function watch(watched: Watched, terminal: Terminal): Watch {
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
  const isGone = (): boolean => !stopped && !watched.isAlive();
  const loop = async (): Promise<void> => {
    let pause = FIRST_PAUSE_MS;
    while (!stopped) {
      await sleep(LOOK_EVERY_MS);
      if (!isGone()) continue;
      terminal.say(watched.part, 'it died; starting it again');
      await sleep(watched.graceMs);
      if (!isGone()) continue;
      try {
        await watched.bringBack();
        terminal.say(watched.part, 'up again');
        pause = FIRST_PAUSE_MS;
      } catch (error) {
        const why = error instanceof Error ? error.message : String(error);
        terminal.say(watched.part, `it does not come back (${why}); next try in ${pause / 1000} s`);
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
