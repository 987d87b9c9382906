import { describe, expect, it } from '@jest/globals';
import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import { MockActivityEnvironment } from '@temporalio/testing';
import { pino } from 'pino';
import { ForgeError } from '@tiny-forge/contracts/domain';
import type { FailureDetails, Job } from '@tiny-forge/workflows';
import { guardActivities, type ActivityContext } from './guard-activities.ts';

const job: Job = { installation: 'i', hostId: 'h', operationId: 'o', workloadId: 'w' };
const log = pino({ level: 'silent' });
const newId = (): string => 'report';
const host = { installation: 'i', hostId: 'h' };

type Work = (request: { job: Job }, context: ActivityContext) => Promise<string>;
const guard = (step: Work, more: object = {}) =>
  guardActivities({ step }, { log, newId, host, heartbeatMs: 5, ...more }).step;

async function failureOf(work: Work, more: object = {}, request = { job }): Promise<FailureDetails> {
  const error: unknown = await new MockActivityEnvironment().run(guard(work, more), request).catch((e: unknown) => e);
  expect(error).toBeInstanceOf(ApplicationFailure);
  const failure = error as ApplicationFailure;
  const details = failure.details?.[0] as FailureDetails;
  expect(failure.nonRetryable).toBe(true);
  expect(failure.type).toBe(details.code);
  return details;
}

describe('a guarded activity', () => {
  it('refuses the work of another host or installation before it touches anything', async () => {
    let touched = false;
    const work: Work = async () => {
      touched = true;
      return '';
    };
    expect((await failureOf(work, {}, { job: { ...job, hostId: 'other' } })).code).toBe('WRONG_HOST');
    expect((await failureOf(work, {}, { job: { ...job, installation: 'other' } })).code).toBe('WRONG_HOST');
    expect(touched).toBe(false);
  });

  it('hands our errors to the workflow whole, with what the journal adds', async () => {
    const blockers = [{ code: 'VOLUME_CHANGED', params: {}, message: 'm', next: 'n' }];
    const details = await failureOf(
      async () => {
        throw Object.assign(
          new ForgeError({ code: 'RESTORE_BLOCKED', params: { count: 1, codes: 'VOLUME_CHANGED' } }),
          {
            blockers,
          },
        );
      },
      { extras: async () => ({ data: 'staged' }) },
    );
    expect(details).toMatchObject({
      code: 'RESTORE_BLOCKED',
      kind: 'blocked',
      retryable: false,
      params: { count: 1 },
      blockers,
      data: 'staged',
    });
  });

  it('reports an unexpected error by number and tells nothing of it', async () => {
    const details = await failureOf(async () => {
      throw new Error('password=secret');
    });
    expect(details).toMatchObject({ code: 'INTERNAL', params: { reportId: 'report' } });
    expect(JSON.stringify(details)).not.toContain('secret');
  });

  it('heartbeats from a timer with the progress it was told', async () => {
    const env = new MockActivityEnvironment();
    const beats: unknown[] = [];
    env.on('heartbeat', (details: unknown) => beats.push(details));
    const progress = { doneBytes: 1, totalBytes: 2, doneEntries: 0, totalEntries: 0 };
    const told: unknown[] = [];
    const run = guard(
      async (_request, context) => {
        context.onProgress(progress);
        while (beats.length < 2) await new Promise((resolve) => setTimeout(resolve, 5));
        return 'done';
      },
      { onProgress: (...args: unknown[]) => told.push(args) },
    );
    expect(await env.run(run, { job })).toBe('done');
    expect(beats.at(-1)).toEqual(progress);
    expect(told).toEqual([
      ['o', 'step', progress],
      ['o', 'step', null],
    ]);
  });

  it('reports a cancelled attempt as cancelled, but a real error as that error', async () => {
    const waiting: Work = async (_request, { signal }) =>
      new Promise((_resolve, reject) =>
        signal.addEventListener('abort', () => reject(new ForgeError({ code: 'CANCELLED' })), { once: true }),
      );
    const env = new MockActivityEnvironment();
    const cancelled = env.run(guard(waiting), { job }).catch((error: unknown) => error);
    env.cancel('WORKER_SHUTDOWN');
    expect(await cancelled).toBeInstanceOf(CancelledFailure);

    const other = new MockActivityEnvironment();
    const failed = other
      .run(
        guard(async (_request, { signal }) => {
          await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
          throw new ForgeError({ code: 'ROLLBACK_FAILED', params: { target: '/data', why: 'EIO' } });
        }),
        { job },
      )
      .catch((error: unknown) => error);
    other.cancel('CANCELLED');
    expect(((await failed) as ApplicationFailure).type).toBe('ROLLBACK_FAILED');
  });
});
