import { Session, type Profiler } from 'node:inspector';

/** Which blocks of our own source ran how often since the last call: what V8's own profiler counts. */
export class BlockCoverage {
  #session = new Session();

  start(): void {
    this.#session.connect();
    this.#post('Profiler.enable');
    this.#post('Profiler.startPreciseCoverage', { callCount: true, detailed: true });
  }

  /** One number for each block and order of magnitude of its count. */
  take(): Set<string> {
    const features = new Set<string>();
    const { result } = this.#post('Profiler.takePreciseCoverage') as Profiler.TakePreciseCoverageReturnType;
    for (const { url, functions } of result) {
      const file = /\/archive-safe\/src\/([^/]+)\.ts$/.exec(url)?.[1];
      if (file === undefined) continue;
      for (const { ranges } of functions) {
        for (const { startOffset, endOffset, count } of ranges) {
          if (count > 0) features.add(`${file}:${startOffset}-${endOffset}:${Math.floor(Math.log2(count))}`);
        }
      }
    }
    return features;
  }

  #post(method: string, params?: object): unknown {
    let answer: unknown;
    // The session is on our own thread: it answers before `post` returns.
    (
      this.#session.post as (
        method: string,
        params: object | undefined,
        done: (error: Error | null, result: unknown) => void,
      ) => void
    ).call(this.#session, method, params, (error, result) => {
      if (error !== null) throw error;
      answer = result;
    });
    return answer;
  }
}
