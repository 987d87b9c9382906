import { ApplicationFailure } from '@temporalio/common';
import type { OperationRun } from './operation-run.ts';
import { never } from './step-runner.ts';

/** Kinds of one step. A failure ends them at once: what they did is taken back, or they did nothing. */

export async function deploy(run: OperationRun): Promise<void> {
  const { host, job, keeper } = run;
  run.undo('undoDeploy', 'deploy', async () => {
    const { app } = await host.undoDeploy({ job });
    keeper.situation({ app });
  });
  const { app, changed } = await run.steps.run('deploy', () => host.deploy({ job }), {
    waits: never,
    effect: true,
    onFailure: ({ untouched }) => untouched && keeper.set({ hadEffect: false }),
  });
  keeper.situation({ app });
  if (!changed) keeper.patchStep('deploy', { detail: 'The very same thing already runs and is healthy.' });
}

export async function stopApp(run: OperationRun): Promise<void> {
  const { app } = await run.steps.run('stopApp', () => run.host.stopApp({ job: run.job }), { waits: never });
  run.keeper.situation({ app });
}

export async function startApp(run: OperationRun): Promise<void> {
  const { app } = await run.steps.run('startApp', () => run.host.startApp({ job: run.job }), { waits: never });
  run.keeper.situation({ app });
}

export async function captureSnapshot(run: OperationRun): Promise<void> {
  const { input, host, job } = run;
  const { app } = await run.steps.run(
    'capture',
    () => host.capture({ job, snapshotId: input.snapshotId ?? '', quiesce: input.options.quiesce ?? 'pause' }),
    { waits: never },
  );
  run.keeper.situation({ app });
}

/** Nothing of the workload is touched; what is taken back is what the import made. */
export async function importSnapshot(run: OperationRun): Promise<void> {
  const { input, host, job } = run;
  const { upload } = input.options;
  const snapshotId = input.snapshotId ?? '';
  if (!upload) throw ApplicationFailure.nonRetryable('an import names its upload');
  run.undo('discardImport', 'import', () => host.discardImport({ job, snapshotId, uploadId: upload.id }));
  const { app } = await run.steps.run('import', () => host.importSnapshot({ job, snapshotId, upload }), {
    waits: never,
  });
  run.keeper.situation({ app });
}

export async function deleteWorkload(run: OperationRun): Promise<void> {
  const deleteData = run.input.options.deleteData ?? false;
  await run.steps.run('delete', () => run.host.deleteWorkload({ job: run.job, deleteData }), { waits: never });
  run.keeper.situation({ app: 'absent' });
}
