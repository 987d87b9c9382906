import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { OPERATION_STATES, type SituationApp, type SituationData } from '@tiny-forge/contracts/domain';
import { useEnglish, useRussian } from '../../testing/language.ts';
import { cleanup, render, screen, textOf } from '../../testing/render.ts';
import Examples from '../examples/Examples.svelte';
import { AT, at, exampleOperations, hostile } from '../examples/data.ts';
import { en } from '../i18n/en.ts';
import { clock } from '../live/clock.svelte.ts';
import { feed } from '../live/feed.svelte.ts';
import Countdown from './Countdown.svelte';
import Name from './Name.svelte';
import Now from './Now.svelte';
import StateBadge from './StateBadge.svelte';
import Steps from './Steps.svelte';
import { APP_MARKS, OPERATION_MARKS, PART_MARKS, STEP_MARKS } from './mark.ts';

beforeEach(() => {
  useEnglish();
  jest.spyOn(performance, 'now').mockReturnValue(5000);
  clock.learn(new Date(AT).toISOString());
  Object.assign(feed, { stale: false });
});
afterEach(() => {
  cleanup();
  jest.restoreAllMocks();
});

describe('UX4: states are told apart without colour', () => {
  it.each(OPERATION_STATES)('%s: word, shape and tone', (state) => {
    render(StateBadge, { mark: OPERATION_MARKS[state], word: en.states[state] });
    const badge = screen.getByTestId('state');
    expect(textOf(badge)).toBe(en.states[state]);
    expect(badge.querySelector('[data-shape]')?.getAttribute('data-shape')).toBe(OPERATION_MARKS[state].shape);
    expect(badge.dataset['tone']).toBe(OPERATION_MARKS[state].tone);
  });

  it.each([
    ['operations', OPERATION_MARKS],
    ['steps', STEP_MARKS],
    ['apps', APP_MARKS],
  ] as const)('%s: one shape never stands for two tones', (_what, marks) => {
    const tones = new Map<string, Set<string>>();
    for (const { shape, tone } of Object.values(marks)) tones.set(shape, (tones.get(shape) ?? new Set()).add(tone));
    // Going back is blue while it moves and amber once it has: the ring of the running step and the word tell.
    const shared = [...tones].filter(([shape, set]) => set.size > 1 && shape !== 'back').map(([shape]) => shape);
    expect(shared).toEqual([]);
  });

  it('every word differs from every other', () => {
    expect(new Set(Object.values(en.states)).size).toBe(OPERATION_STATES.length);
    expect(new Set(Object.values(en.system.partState)).size).toBe(Object.keys(PART_MARKS).length);
  });
});

describe('the two truths', () => {
  it.each([
    ['running', 'current', 'The app is running. Its data is untouched.'],
    [
      'stopped',
      'staged',
      'The app is stopped (12 min 00 s so far). Its data is untouched; the snapshot is unpacked beside it.',
    ],
    [
      'unhealthy',
      'restored',
      'The app runs but fails its health check. Its data is the snapshot of 22 Nov, 02:14; the data of before is kept.',
    ],
    ['absent', 'unclear', 'The app is not deployed. Data is between the two states; both copies are kept.'],
  ] as [SituationApp, SituationData, string][])('%s, %s', (app, data, text) => {
    render(Now, { app, data, since: at(720), snapshotAt: at(86_400) });
    expect(textOf(screen.getByTestId('now'))).toBe(`Now ${text}`);
  });

  it('goes grey, not away, when the connection is lost', () => {
    Object.assign(feed, { stale: true });
    render(Now, { app: 'running', data: 'current' });
    expect(screen.getByTestId('now').classList.contains('as-of')).toBe(true);
  });
});

describe('UX16: counters by the time of the server', () => {
  it('countdown', () => {
    render(Countdown, { until: at(-252) });
    expect(textOf(screen.getByTestId('countdown'))).toBe('4:12');
  });

  it('down since, step by step', () => {
    render(Steps, { operation: exampleOperations.RUNNING, healthLimitSeconds: 60 });
    expect(textOf(screen.getByTestId('downtime'))).toBe('down since 02:14:1714 s');
    const steps = [...screen.getByTestId('steps').querySelectorAll('li')];
    expect(steps.map((step) => step.dataset['state'])).toEqual([
      'DONE',
      'DONE',
      'DONE',
      'RUNNING',
      'PENDING',
      'PENDING',
      'PENDING',
    ]);
    expect(textOf(steps[3] as HTMLElement)).toContain('61% 760 MiB of 1.2 GiB');
    expect(textOf(steps[5] as HTMLElement)).toContain('health: at most 60 s');
    expect(steps.map((step) => step.classList.contains('down'))).toEqual([false, false, true, true, true, true, false]);
  });
});

it('UX24: a hostile name stands in its own box, escaped and cut', () => {
  render(Name, { value: hostile });
  const box = document.querySelector('bdi');
  expect(box?.textContent).toMatch(/^evil\\x1b\[31m\\u202egnp\.exex+…x+$/);
  expect([...(box?.textContent ?? '')].length).toBeLessThanOrEqual(200);
});

describe('the examples', () => {
  it.each([
    ['English', useEnglish],
    ['Russian', useRussian],
  ] as const)('render every component in every state: %s', (_language, use) => {
    use();
    render(Examples);
    const text = textOf(document.body);
    expect(text).not.toMatch(/undefined|NaN|\[object|\{\w+\}/);
    const outcomes = [...document.querySelectorAll('[data-testid="outcome"]')];
    const states = new Set(outcomes.map((outcome) => outcome.getAttribute('aria-label')));
    expect(states.size).toBe(OPERATION_STATES.length);
    // The marks around a name: neither themselves nor made visible.
    for (const character of ['\u001b', '\u202e', '\u2068', '\u2069', '\\u2068']) expect(text).not.toContain(character);
  });
});
