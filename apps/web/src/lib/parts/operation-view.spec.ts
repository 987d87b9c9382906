import { describe, expect, it } from '@jest/globals';
import type { Operation, Workload } from '@tiny-forge/contracts/domain';
import { AT, at, exampleOperation, exampleOperations, stepsAt } from '../examples/data.ts';
import { en } from '../i18n/en.ts';
import { Format } from '../i18n/format.ts';
import { ru } from '../i18n/ru.ts';
import { currentStep, progressText, tabTitle } from './operation-view.ts';
import { failureReport, operationReport } from './report.ts';
import { situationOf } from './situation.ts';
import { temporalLink } from './temporal-link.ts';
import { workloadRow } from './workload-row.ts';
import { logLines } from './log-lines.ts';
import { plainProblem } from '../api/failure.ts';

const f = new Format('en', 'UTC', en.units);
const read = (text: string) => text.replaceAll('\u00a0', ' ');

describe('the words of an operation', () => {
  it.each([
    ['RUNNING', '61% Restoring guestbook'],
    ['SUCCEEDED', 'Done: Restore guestbook'],
    ['NEEDS_OPERATOR', 'Needs you: Restore guestbook'],
    ['WAITING', 'Waiting for you: Restore guestbook'],
  ] as const)('%s in the tab', (state, title) => {
    expect(tabTitle(exampleOperations[state], en, f)).toBe(title);
  });

  it('the tab in Russian', () => {
    expect(read(tabTitle(exampleOperations.RUNNING, ru, new Format('ru', 'UTC', ru.units)))).toBe(
      '61 % Восстанавливаем guestbook',
    );
  });

  it('which step, and how far', () => {
    expect(progressText(exampleOperations.RUNNING, en, f)).toBe('step 4 of 7, 61%');
    expect(currentStep(exampleOperation('SUCCEEDED', { steps: stepsAt(7, 'DONE') }))?.number).toBe(7);
    expect(currentStep(exampleOperation('QUEUED', { steps: stepsAt(-1, 'PENDING') }))?.number).toBe(1);
  });

  it('the report is in UTC, with codes and ids', () => {
    const report = operationReport(exampleOperations.WAITING);
    expect(report).toContain('time: 2026-11-23T02:14:31.000Z');
    expect(report).toContain('code: APP_UNHEALTHY');
    expect(report).toContain(exampleOperations.WAITING.id);
    expect(
      failureReport(
        {
          kind: 'problem',
          method: 'POST',
          status: 409,
          at: AT,
          problem: plainProblem(409, 'VOLUME_IN_USE', { path: '/srv' }),
        },
        '/workloads',
      ),
    ).toBe(
      'Tiny Forge report\ntime: 2026-11-23T02:14:31.000Z\npage: /workloads\ncode: VOLUME_IN_USE\nstatus: 409\npath: "/srv"',
    );
  });
});

describe('NOW of an app', () => {
  const workload = { status: { state: 'running', instances: [] } } as unknown as Workload;
  it('an open operation knows best, one that is queued does not', () => {
    expect(situationOf(workload, exampleOperations.RUNNING, [], AT)).toMatchObject({ app: 'stopped', data: 'staged' });
    expect(situationOf(workload, exampleOperations.QUEUED, [], AT)).toMatchObject({ app: 'running', data: 'current' });
  });
  it('restored data is called so while the old folders are kept instead of a snapshot', () => {
    const { undo, ...done } = exampleOperations.SUCCEEDED;
    const kept = { until: undo?.until ?? '', trees: [] };
    expect(situationOf(workload, undefined, [{ ...done, kept }], AT)).toMatchObject({ data: 'restored' });
    expect(situationOf(workload, undefined, [{ ...done, kept }], AT + 8 * 86_400_000)).toMatchObject({
      data: 'current',
    });
    expect(situationOf(workload, undefined, [done], AT)).toMatchObject({ data: 'current' });
  });
  it('restored data is called so while it can be undone', () => {
    const done = exampleOperations.SUCCEEDED;
    expect(situationOf(workload, undefined, [done], AT)).toMatchObject({
      data: 'restored',
      snapshotAt: done.snapshotCreatedAt,
    });
    expect(situationOf(workload, undefined, [done], AT + 8 * 86_400_000)).toMatchObject({ data: 'current' });
    expect(
      situationOf(
        workload,
        undefined,
        [{ ...done, kind: 'undo-restore', situation: { ...done.situation, data: 'current' } }, done],
        AT,
      ),
    ).toMatchObject({ data: 'current' });
  });
});

describe('a row of the list', () => {
  const base = {
    volumes: [{}],
    status: { state: 'running', instances: [{ health: 'healthy' }] },
    lastSnapshot: { createdAt: at(82_800), state: 'READY' },
  } as unknown as Workload;
  const row = (workload: Partial<Workload>, open?: Operation) => workloadRow({ ...base, ...workload }, open, en, f, AT);

  it('running', () =>
    expect(row({})).toMatchObject({
      word: 'Running',
      group: 'fine',
      facts: ['healthy', 'snapshot 23\u00a0h\u00a0ago'],
    }));
  it('no snapshot is a warning', () =>
    expect(row({ lastSnapshot: null })).toMatchObject({ warning: 'no snapshot', facts: ['healthy'] }));
  it('without volumes there is nothing to keep', () =>
    expect(row({ lastSnapshot: null, volumes: [] }).warning).toBeUndefined());
  it('busy', () =>
    expect(row({}, exampleOperations.RUNNING)).toMatchObject({
      word: 'Restore',
      group: 'busy',
      facts: ['step 4 of 7, 61%', 'snapshot 23\u00a0h\u00a0ago'],
    }));
  it('needs you', () =>
    expect(row({}, exampleOperations.NEEDS_OPERATOR)).toMatchObject({
      word: 'Needs you',
      group: 'needs-you',
      facts: ['stopped 12\u00a0min', 'Restore', 'snapshot 23\u00a0h\u00a0ago'],
    }));
  it('unhealthy needs you', () =>
    expect(row({ status: { state: 'degraded', instances: [] } })).toMatchObject({
      group: 'needs-you',
      word: 'Unhealthy',
    }));
});

describe('links and logs', () => {
  it('Temporal: the run in its own UI, and never a script', () => {
    const operation = exampleOperation('RUNNING', { workflow: { workflowId: 'i:op:7', runId: 'r' } });
    expect(temporalLink('http://127.0.0.1:8233/', operation)).toBe(
      'http://127.0.0.1:8233/namespaces/default/workflows/i%3Aop%3A7/r/history',
    );
    expect(temporalLink('https://t/namespaces/mine', operation)).toBe(
      'https://t/namespaces/mine/workflows/i%3Aop%3A7/r/history',
    );
    expect(temporalLink('javascript:alert(1)', operation)).toBeUndefined();
  });
  it('a log is made visible', () => {
    expect(logLines({ lines: ['\u001b[31mred', 'a\tb\r'] })).toEqual(['\\x1b[31mred', 'a  b']);
    expect(logLines('one\ntwo\n')).toEqual(['one', 'two']);
    expect(logLines(undefined)).toEqual([]);
  });
});
