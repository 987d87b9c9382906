import { describe, expect, it } from '@jest/globals';
import { ServerClock } from './clock.svelte.ts';

/** A browser whose wall clock is an hour off and whose monotonic clock is right. */
function browser(hoursOff: number) {
  const start = Date.UTC(2026, 10, 23, 2, 0, 0);
  let elapsed = 0;
  const clock = new ServerClock(
    () => elapsed,
    () => start + hoursOff * 3_600_000 + elapsed,
  );
  return {
    clock,
    start,
    pass: (ms: number) => (elapsed += ms),
    server: (delay = 0) => new Date(start + elapsed - delay).toISOString(),
  };
}

describe('UX16: the time of the server', () => {
  it.each([-1, 1])('a browser %d h off tells durations right', (off) => {
    const { clock, start, pass, server } = browser(off);
    clock.learn(server());
    pass(14_000);
    expect(clock.now - start).toBe(14_000);
  });

  it('before the server was heard, the browser is all there is', () => {
    const { clock, start } = browser(1);
    expect(clock.known).toBe(false);
    expect(clock.now).toBe(start + 3_600_000);
  });

  it('a late message does not turn time back', () => {
    const { clock, start, pass, server } = browser(1);
    clock.learn(server());
    pass(5000);
    clock.learn(server(4000));
    expect(clock.now).toBe(start + 5000);
  });

  it('a replayed message is not taken for news, a better one is', () => {
    const { clock, start, pass, server } = browser(0);
    clock.learn(server(3000));
    expect(clock.now).toBe(start - 3000);
    pass(1000);
    clock.learn(server());
    expect(clock.now).toBe(start + 1000);
  });

  it('after a minute it believes the latest again: a server clock may be set', () => {
    const { clock, start, pass, server } = browser(0);
    clock.learn(server());
    pass(61_000);
    clock.learn(server(10_000));
    expect(clock.now).toBe(start + 51_000);
  });

  it('the Date header serves until something exact is heard', () => {
    const { clock, start, server } = browser(1);
    clock.learnRoughly(new Date(start).toUTCString());
    expect(Math.abs(clock.now - start)).toBeLessThanOrEqual(500);
    clock.learn(server());
    expect(clock.now).toBe(start);
    clock.learnRoughly(new Date(start + 90_000).toUTCString());
    expect(clock.now).toBe(start);
  });

  it('nonsense changes nothing', () => {
    const { clock, start, server } = browser(1);
    clock.learn(server());
    clock.learn('yesterday');
    expect(clock.now).toBe(start);
  });
});
