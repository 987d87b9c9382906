import { describe, expect, it, jest } from '@jest/globals';
import { ApiFailure, plainProblem } from '../api/failure.ts';
import { Press } from './press.svelte.ts';

const lost = () => Promise.reject(new ApiFailure({ kind: 'network', method: 'POST', at: 0 }));
const refused = () =>
  Promise.reject(
    new ApiFailure({ kind: 'problem', method: 'POST', status: 409, at: 0, problem: plainProblem(409, 'X') }),
  );

describe('UX11: one press, one operation', () => {
  it('the second half of a double click sends nothing', async () => {
    const press = new Press();
    const send = jest.fn(async (key: string) => key);
    const [first, second] = await Promise.all([press.run(send), press.run(send)]);
    expect(send).toHaveBeenCalledTimes(1);
    expect(first?.answer).toMatch(/^[0-9a-f]{32}$/);
    expect(second).toBeUndefined();
  });

  it('after a success what is pressed once stays pressed', async () => {
    const press = new Press();
    const send = jest.fn(async () => 1);
    await press.run(send);
    await press.run(send);
    expect(send).toHaveBeenCalledTimes(1);
  });

  it('a lost answer is asked for with the same key', async () => {
    const press = new Press();
    const keys: string[] = [];
    await press.run((key) => (keys.push(key), lost()));
    expect(press.failure?.kind).toBe('network');
    expect(press.sending).toBe(false);
    await press.run(async (key) => void keys.push(key));
    expect(keys[1]).toBe(keys[0]);
  });

  it('an answer, even a refusal, ends the request: the next press is a new one', async () => {
    const press = new Press();
    const keys: string[] = [];
    await press.run((key) => (keys.push(key), refused()));
    await press.run(async (key) => void keys.push(key));
    expect(keys[1]).not.toBe(keys[0]);
  });

  it('a repeating button takes a double click as one press, a later press as another', async () => {
    jest.useFakeTimers();
    const press = new Press('repeat');
    const send = jest.fn(async (key: string) => key);
    const first = await press.run(send);
    await press.run(send);
    expect(send).toHaveBeenCalledTimes(1);
    jest.advanceTimersByTime(800);
    const second = await press.run(send);
    expect(second?.answer).not.toBe(first?.answer);
    jest.useRealTimers();
  });

  it('a bug of ours shows instead of vanishing', async () => {
    const press = new Press();
    await press.run(() => Promise.reject(new TypeError('x is not a function')));
    expect(press.failure).toMatchObject({ kind: 'problem', problem: { code: 'INTERNAL' } });
  });
});
