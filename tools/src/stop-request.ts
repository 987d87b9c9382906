/** Why this process was asked to end. */
export class StopRequested extends Error {
  constructor(reason: string) {
    super(reason);
    this.name = 'StopRequested';
  }
}

export interface StopRequest {
  /** Aborts at the first request. */
  readonly signal: AbortSignal;
  /** Called at each further request, with how many there were before it. */
  onImpatience(call: (earlier: number) => void): void;
}

/** npm passes on the Ctrl-C that the terminal sends to all of us as well: one press arrives twice. */
const ONE_PRESS_MS = 1_000;
const PARENT_LOOK_MS = 1_000;

/**
 * Listens for everything that means "end now": Ctrl-C, SIGTERM, a closed terminal, and the death of the process that started
 * us (its IPC channel closes, or, under npm, our parent is another one), so that nothing of ours stays behind unseen.
 */
export function listenForStop(env: NodeJS.ProcessEnv = process.env): StopRequest {
  const controller = new AbortController();
  let requests = 0;
  let lastAt = -Infinity;
  let impatient: (earlier: number) => void = () => undefined;
  const request = (reason: string): void => {
    const now = performance.now();
    if (now - lastAt < ONE_PRESS_MS) return;
    lastAt = now;
    if (requests++ === 0) controller.abort(new StopRequested(reason));
    else impatient(requests - 1);
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => request(signal));
  process.once('disconnect', () => request('the command that started us is gone'));
  if (env['npm_lifecycle_event'] !== undefined) {
    const parent = process.ppid;
    setInterval(() => {
      if (process.ppid !== parent && requests === 0) request('npm is gone');
    }, PARENT_LOOK_MS).unref();
  }
  return { signal: controller.signal, onImpatience: (call) => (impatient = call) };
}
