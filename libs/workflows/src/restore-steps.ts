import type { AppBefore, SituationApp } from '@tiny-forge/contracts/domain';
import type { OpaquePlan, PlanJob } from './activity-types.ts';
import type { OperationRun } from './operation-run.ts';
import { never, Stopped } from './step-runner.ts';

const always = (): boolean => true;
const OLD_TREES_KEPT = 'No snapshot was taken: the old directories themselves are the safety copy.';

/** The walk of restore.md 1, forward. Every undo is registered before the step whose effect it takes back. @throws Stopped */
export async function restore(run: OperationRun): Promise<void> {
  const { input, steps, host, keeper } = run;
  const { plan, app } = await steps.run(
    'preflight',
    () =>
      host.preflight({
        job: run.job,
        snapshotId: input.snapshotId ?? '',
        planHash: input.options.planHash ?? null,
        safety: input.options.safety ?? 'snapshot',
      }),
    { waits: never },
  );
  keeper.situation({ app });
  const of: PlanJob = { job: run.job, plan };
  run.holds(plan);

  run.undo('close', 'preflight', () => host.close(of));
  run.undo('dropStaging', 'extract', async () => {
    await host.dropStaging(of);
    keeper.situation({ data: 'current' });
  });
  await steps.run('extract', () => host.extract(of), { waits: never });
  keeper.situation({ data: 'staged' });

  run.undo('resume', 'stop', () => resume(run, plan));
  const { before, stoppedAt } = await steps.run('stop', () => host.stop(of), { waits: always, effect: true });
  stopped(run, before, stoppedAt);

  // Decided by the request, or by who tries the step again; what was done then is in the answer.
  let wish = input.options.safety;
  const safety = await steps.run(
    'preRestoreSnapshot',
    () => host.preRestoreSnapshot(wish === undefined ? of : { ...of, safety: wish }),
    { waits: always, onSafety: (decided) => (wish = decided) },
  );
  if (safety.snapshotId === null) keeper.patchStep('preRestoreSnapshot', { detail: OLD_TREES_KEPT });

  run.undo('swapBack', 'swap', async () => {
    await host.swapBack(of);
    keeper.situation({ data: 'staged' });
  });
  await steps.run('swap', () => host.swap(of), { waits: always, decision: true, onFailure: (f) => run.dataIs(f) });
  keeper.situation({ data: 'restored' });

  await redeployAndFinish(run, plan, before);
  if (safety.snapshotId !== null) keeper.set({ undo: { until: safety.expiresAt, snapshotId: safety.snapshotId } });
}

/** From SWAPPED on: also how `restore` goes on after its decision. @throws Stopped */
async function redeployAndFinish(run: OperationRun, plan: OpaquePlan, before: AppBefore): Promise<void> {
  const { steps, host, keeper } = run;
  const of: PlanJob = { job: run.job, plan };
  let instances: readonly string[] = [];
  if (before === 'stopped') {
    // A person had stopped the app: it stays stopped.
    keeper.patchStep('redeploy', {
      state: 'SKIPPED',
      detail: 'The app was stopped before the restore and stays stopped.',
    });
  } else {
    run.undo('removeNew', 'redeploy', async () => {
      await host.removeNew(of);
      keeper.situation({ app: 'stopped' });
    });
    const done = await steps.run('redeploy', () => host.redeploy(of), { waits: always });
    instances = done.instances;
    run.appIsBack('running');
  }
  try {
    const { warnings, kept } = await steps.run('finish', () => host.finish({ ...of, instances }), {
      waits: (f) => !f.done,
    });
    if (kept) keeper.set({ kept });
    if (warnings.length > 0) keeper.patchStep('finish', { detail: warnings.join(' ') });
  } catch (error) {
    // Past DONE the restore has succeeded; what is left is garbage for the janitor.
    if (!(error instanceof Stopped) || error.failure.done !== true) throw error;
    keeper.finishStep('finish', 'DONE', error.failure.message);
    if (error.failure.kept) keeper.set({ kept: error.failure.kept });
  }
}

async function resume(run: OperationRun, plan: OpaquePlan): Promise<void> {
  const { app } = await run.host.resume({ job: run.job, plan });
  run.appIsBack(app);
}

function stopped(run: OperationRun, before: AppBefore, stoppedAt: string): void {
  const app: SituationApp = before === 'absent' ? 'absent' : 'stopped';
  run.keeper.situation({ app });
  if (before.startsWith('running')) run.keeper.set({ downtime: { from: stoppedAt, to: null } });
}
