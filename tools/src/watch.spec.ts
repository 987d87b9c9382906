import { expect, it } from '@jest/globals';
import { recordingTerminal } from '../testing/fake-machine.ts';
import { waitUntil } from './process-identity.ts';
import { watch } from './watch.ts';

it('brings a daemon back, again when that failed, and leaves it alone afterwards', async () => {
  const terminal = recordingTerminal();
  let [alive, attempts] = [false, 0];
  const running = watch(
    {
      part: 'docker',
      graceMs: 0,
      isAlive: () => alive,
      bringBack: async () => {
        if (++attempts < 2) throw new Error('no space left on device');
        alive = true;
      },
    },
    terminal,
  );
  expect(await waitUntil(() => alive, 10_000)).toBe(true);
  await running.stop();
  expect(attempts).toBe(2);
  expect(terminal.text()).toMatch(/it does not come back \(no space left on device\); next try in 0\.5 s[^]*up again/);
});

it('leaves it to whoever brings it back within the grace', async () => {
  let [alive, attempts] = [false, 0];
  setTimeout(() => (alive = true), 1_300);
  const running = watch(
    { part: 'docker', graceMs: 1_000, isAlive: () => alive, bringBack: async () => void attempts++ },
    recordingTerminal(),
  );
  await new Promise((resolve) => setTimeout(resolve, 2_500));
  await running.stop();
  expect(attempts).toBe(0);
});

it('stops at once, also in a long pause', async () => {
  const running = watch(
    { part: 'docker', graceMs: 60_000, isAlive: () => false, bringBack: async () => undefined },
    recordingTerminal(),
  );
  await new Promise((resolve) => setTimeout(resolve, 1_200));
  const began = Date.now();
  await running.stop();
  expect(Date.now() - began).toBeLessThan(500);
});
