import type { OperationInput } from '../src/index.ts';
import type { Lab } from './lab.ts';
import { FINISHED_KEEPING, KEPT, ownFailure, untilCancelled, type Script } from './scripted-activities.ts';

export interface Scenario {
  readonly name: string;
  /** @returns ids of the workflows whose histories tell the path */
  readonly run: (lab: Lab) => Promise<readonly string[]>;
}

const IDLE = { timings: { laneIdleMs: 200 } };

const operationOf = (lab: Lab, input: OperationInput): readonly string[] => [lab.handle(input.operationId).workflowId];

async function toEnd(lab: Lab, input: OperationInput): Promise<readonly string[]> {
  await lab.submit(input);
  await lab.untilEnded(input.operationId);
  await lab.handle(input.operationId).result();
  return operationOf(lab, input);
}

async function inExtract(lab: Lab, input: OperationInput): Promise<void> {
  lab.activities.scripts.set(input.operationId, { extract: untilCancelled });
  await lab.submit(input, IDLE);
  await lab.eventually(
    () => lab.row(input.operationId).views.at(-1)?.steps[1]?.state === 'RUNNING' || null,
    () => 'extract never ran',
  );
}

const failing = (step: string): Scenario => ({
  name: `restore-fails-in-${step}`,
  run: (lab) => {
    const input = lab.input(`fail-${step}`);
    lab.activities.scripts.set(input.operationId, { [step]: async () => Promise.reject(ownFailure('STOP_TIMEOUT')) });
    return toEnd(lab, input);
  },
});

const single = (kind: OperationInput['kind']): Scenario => ({
  name: kind,
  run: (lab) => toEnd(lab, lab.input(`kind-${kind}`, kind)),
});

const importInput = (lab: Lab, workloadId: string): OperationInput =>
  lab.input(workloadId, 'import', {
    options: { upload: { id: 'upload', profile: 'tar', links: 0, target: null } },
  });

const importing = (name: string, script: Script): Scenario => ({
  name,
  run: (lab) => {
    const input = importInput(lab, name);
    lab.activities.scripts.set(input.operationId, script);
    return toEnd(lab, input);
  },
});

const recovering = (record: 'STAGED' | 'SAFE' | 'COMMIT' | 'SWAPPED' | 'DONE' | 'OPERATOR'): Scenario => ({
  name: `recover-${record.toLowerCase()}`,
  run: (lab) => {
    lab.activities.recoverStatus = { ...lab.activities.recoverStatus, record };
    return toEnd(lab, lab.input(`recover-${record}`, 'recover', { options: { recovers: 'lost' } }));
  },
});

/** Every path of lane and operation, each recorded once from a real server. */
export const SCENARIOS: readonly Scenario[] = [
  { name: 'restore-success', run: (lab) => toEnd(lab, lab.input('success')) },
  ...['preflight', 'extract', 'stop', 'preRestoreSnapshot', 'swap', 'redeploy', 'finish'].map(failing),
  {
    name: 'restore-attempts',
    run: (lab) => {
      const input = lab.input('attempts');
      lab.activities.scripts.set(input.operationId, {
        extract: async (_id, call) => (call < 3 ? Promise.reject(ownFailure('IO_ERROR')) : undefined),
        stop: async (_id, call) => (call < 3 ? Promise.reject(ownFailure('DOCKER_AWAY')) : undefined),
      });
      return toEnd(lab, input);
    },
  },
  {
    name: 'restore-aborted-in-extract',
    run: async (lab) => {
      const input = lab.input('abort');
      await inExtract(lab, input);
      await lab.abort(input.operationId);
      await lab.handle(input.operationId).result();
      return operationOf(lab, input);
    },
  },
  {
    name: 'restore-retried',
    run: async (lab) => {
      const input = lab.input('retry', 'restore', { operatorWaitSeconds: 60 });
      lab.activities.scripts.set(input.operationId, {
        redeploy: async (_id, call) => (call === 1 ? Promise.reject(ownFailure('APP_UNHEALTHY')) : undefined),
      });
      await lab.submit(input);
      await lab.until(input.operationId, 'WAITING');
      await lab.retry(input.operationId);
      await lab.handle(input.operationId).result();
      return operationOf(lab, input);
    },
  },
  {
    name: 'restore-keeps-old-tree',
    run: async (lab) => {
      const input = lab.input('keeps-old-tree', 'restore', { operatorWaitSeconds: 60 });
      lab.activities.scripts.set(input.operationId, {
        preRestoreSnapshot: async (_id, _call, request) =>
          request.safety === 'keep-old-tree' ? KEPT : Promise.reject(ownFailure('SAFETY_SNAPSHOT_FAILED')),
        finish: async () => FINISHED_KEEPING,
      });
      await lab.submit(input);
      await lab.until(input.operationId, 'WAITING');
      await lab.retry(input.operationId, { safety: 'keep-old-tree' });
      await lab.handle(input.operationId).result();
      return operationOf(lab, input);
    },
  },
  {
    name: 'restore-aborted-in-waiting',
    run: async (lab) => {
      const input = lab.input('abort-waiting', 'restore', { operatorWaitSeconds: 60 });
      lab.activities.scripts.set(input.operationId, {
        redeploy: async () => Promise.reject(ownFailure('APP_UNHEALTHY')),
      });
      await lab.submit(input);
      await lab.until(input.operationId, 'WAITING');
      await lab.abort(input.operationId);
      await lab.handle(input.operationId).result();
      return operationOf(lab, input);
    },
  },
  {
    name: 'restore-wait-ended',
    run: (lab) => {
      const input = lab.input('wait-ended', 'restore', { operatorWaitSeconds: 1 });
      lab.activities.scripts.set(input.operationId, {
        swap: async () => Promise.reject(ownFailure('CONTAINER_APPEARED')),
      });
      return toEnd(lab, input);
    },
  },
  {
    name: 'restore-undo-fails',
    run: (lab) => {
      const input = lab.input('undo-fails');
      lab.activities.scripts.set(input.operationId, {
        redeploy: async () => Promise.reject(ownFailure('APP_UNHEALTHY')),
        swapBack: async () => Promise.reject(ownFailure('ROLLBACK_FAILED')),
      });
      return toEnd(lab, input);
    },
  },
  {
    name: 'restore-app-was-stopped',
    run: (lab) => {
      const input = lab.input('was-stopped');
      lab.activities.scripts.set(input.operationId, {
        stop: async () => ({ before: 'stopped', stoppedAt: '2026-01-01T00:00:00.000Z' }),
      });
      return toEnd(lab, input);
    },
  },
  {
    name: 'restore-refused-by-its-row',
    run: async (lab) => {
      const input = lab.input('refused');
      lab.activities.refuse.add(input.operationId);
      await lab.submit(input);
      await lab.eventually(
        () =>
          lab
            .handle(input.operationId)
            .result()
            .catch(() => null),
        () => 'still open',
      );
      return operationOf(lab, input);
    },
  },
  ...(['deploy', 'stop', 'start', 'snapshot', 'delete', 'promote'] as const).map(single),
  single('undo-restore'),
  importing('import', {}),
  importing('import-fails', { importSnapshot: async () => Promise.reject(ownFailure('ARCHIVE_DAMAGED')) }),
  {
    name: 'import-aborted',
    run: async (lab) => {
      const input = importInput(lab, 'import-aborted');
      lab.activities.scripts.set(input.operationId, { importSnapshot: untilCancelled });
      await lab.submit(input);
      await lab.eventually(
        () => lab.row(input.operationId).views.at(-1)?.steps[0]?.state === 'RUNNING' || null,
        () => 'the import never ran',
      );
      await lab.abort(input.operationId);
      await lab.handle(input.operationId).result();
      return operationOf(lab, input);
    },
  },
  {
    name: 'deploy-fails',
    run: (lab) => {
      const input = lab.input('deploy-fails', 'deploy');
      lab.activities.scripts.set(input.operationId, { deploy: async () => Promise.reject(ownFailure('APP_EXITED')) });
      return toEnd(lab, input);
    },
  },
  ...(['STAGED', 'SAFE', 'COMMIT', 'SWAPPED', 'DONE', 'OPERATOR'] as const).map(recovering),
  {
    name: 'lane-queue',
    run: async (lab) => {
      const restore = lab.input('lane-queue');
      const deploy = lab.input('lane-queue', 'deploy');
      const aborted = lab.input('lane-queue', 'snapshot');
      await inExtract(lab, restore);
      await lab.submit(deploy);
      await lab.submit(aborted);
      await lab.submit(lab.input('lane-queue'));
      await lab.abortQueued('lane-queue', aborted.operationId);
      await lab.abort(restore.operationId);
      await lab.untilEnded(deploy.operationId);
      await lab.laneHandle('lane-queue').result();
      return [lab.laneHandle('lane-queue').workflowId];
    },
  },
  {
    name: 'lane-delete',
    run: async (lab) => {
      const restore = lab.input('lane-delete');
      const deploy = lab.input('lane-delete', 'deploy');
      await inExtract(lab, restore);
      await lab.submit(lab.input('lane-delete', 'delete'));
      await lab.submit(deploy);
      await lab.abort(restore.operationId);
      await lab.untilEnded(deploy.operationId);
      await lab.laneHandle('lane-delete').result();
      return [lab.laneHandle('lane-delete').workflowId];
    },
  },
  {
    name: 'lane-after-termination',
    run: async (lab) => {
      const restore = lab.input('lane-terminated');
      const deploy = lab.input('lane-terminated', 'deploy');
      await inExtract(lab, restore);
      await lab.laneHandle('lane-terminated').terminate('as an operator might');
      await lab.submit(deploy, { ...IDLE, open: [{ operationId: restore.operationId, kind: 'restore' }] });
      await lab.abort(restore.operationId);
      await lab.untilEnded(deploy.operationId);
      await lab.laneHandle('lane-terminated').result();
      return [lab.laneHandle('lane-terminated').workflowId];
    },
  },
];
