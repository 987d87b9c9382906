import path from 'node:path';
import { engineOver } from '../../create-restore-engine.ts';
import { transactionOf, type EngineParts } from '../../engine-parts.ts';
import { WorkloadMutex } from '../../host-mutex.ts';
import type { Transaction } from '../../journal/transaction.ts';
import type { DockerPort } from '@tiny-forge/docker';
import { naming } from '../../ports/fs-error.ts';
import { interceptFsPort, type FsPort } from '../../ports/fs-port.ts';
import type { RestoreEngine, SweepReport } from '../../restore-engine.ts';
import { planSwap } from '../../swap/swap-plan.ts';
import { swapForward } from '../../swap/swap-volumes.ts';
import { realEngine, type MakeEngine } from './simulated-engine.ts';
import { withAppend } from './forgetful.ts';

/** An engine with one mistake, as somebody might make it. */
export interface BrokenEngine {
  readonly mistake: string;
  readonly engine: MakeEngine;
}

const alone = (parts: EngineParts): RestoreEngine => engineOver(parts, new WorkloadMutex());

export const renamesBeforeStaged: BrokenEngine = {
  mistake: 'rename before STAGED',
  engine: (parts) =>
    alone(
      withAppend(parts, async (tx, body, append) => {
        if (body.type === 'STAGED') await swapForward(parts.fs, planSwap(tx.begin.plan, body.volumes));
        return append(tx, body);
      }),
    ),
};

export const commitsAfterFirstRename: BrokenEngine = {
  mistake: 'COMMIT after the first rename',
  engine: (parts) =>
    alone(
      withAppend(parts, async (tx, body, append) => {
        if (body.type === 'COMMIT') await swapForward(parts.fs, body.volumes.slice(0, 1));
        return append(tx, body);
      }),
    ),
};

const isOfJournal = (directory: string): boolean => directory.includes('/journal');

export const syncsNoParent: BrokenEngine = {
  mistake: 'no parent fsync',
  engine: (parts) => {
    const fs = interceptFsPort(parts.fs, (call, proceed) =>
      call.name === 'syncDirectory' && !isOfJournal(String(call.args[0])) ? Promise.resolve() : proceed(),
    );
    return realEngine({ ...parts, fs });
  },
};

export const keepsRollbackOpen: BrokenEngine = {
  mistake: 'ROLLBACK not final',
  engine: (parts) => ({
    ...realEngine(parts),
    sweep: async (signal) => {
      const open = await parts.journals.list();
      const undecided = open.find((found) => found.kind === 'transaction' && found.tx.state === 'ROLLBACK');
      if (undecided?.kind === 'transaction') {
        await swapForward(parts.fs, undecided.tx.commit?.volumes ?? []);
        return NOTHING_SWEPT;
      }
      return realEngine(parts).sweep(signal);
    },
  }),
};

const NOTHING_SWEPT: SweepReport = {
  swappedForward: [],
  swappedBack: [],
  policiesHeld: [],
  collected: [],
  corrupt: [],
  unresolved: [],
};

export const takesPoliciesOffLate: BrokenEngine = {
  mistake: 'policies off after the stop',
  engine: (parts) => {
    const later: (() => Promise<unknown>)[] = [];
    const docker = new Proxy(parts.docker, {
      get: (target, name) => {
        const member: unknown = Reflect.get(target, name, target);
        if (name === 'setRestartPolicy')
          return (id: string, policy: Parameters<DockerPort['setRestartPolicy']>[1]) => {
            if (policy !== 'no') return target.setRestartPolicy(id, policy);
            later.push(() => target.setRestartPolicy(id, policy));
            return Promise.resolve('set');
          };
        if (name === 'stopContainer')
          return async (id: string, seconds: number) => {
            const answer = await target.stopContainer(id, seconds);
            for (const set of later.splice(0)) await set();
            return answer;
          };
        return member;
      },
    });
    return realEngine({ ...parts, docker });
  },
};

export const rollsBackQuiesced: BrokenEngine = {
  mistake: 'sweep that rolls back QUIESCED under a live workflow',
  engine: (parts) => ({
    ...realEngine(parts),
    sweep: sweepBeside(parts, 'QUIESCED', async (tx) => {
      await parts.journals.append(tx, { type: 'ROLLBACK', reason: 'sweep' });
    }),
  }),
};

/** Decides by which names are there, not by what is under them. */
export const recoversByName: BrokenEngine = {
  mistake: 'recovery by name',
  engine: (parts) => ({
    ...realEngine(parts),
    sweep: sweepBeside(parts, 'COMMIT', async (tx) => {
      for (const { livePath, oldPath, stagingPath, parent } of tx.commit?.volumes ?? []) {
        if (stagingPath === null || (await parts.fs.stat(stagingPath)) === null) continue;
        await naming('rename', livePath, async () => {
          if ((await parts.fs.stat(oldPath)) === null) await parts.fs.rename(livePath, oldPath);
          await parts.fs.syncDirectory(parent);
          await parts.fs.rename(stagingPath, livePath);
          await parts.fs.syncDirectory(parent);
        });
      }
      await parts.journals.append(tx, { type: 'SWAPPED' });
    }),
  }),
};

/** Removes what is called as the old tree was called. */
export const deletesByName: BrokenEngine = {
  mistake: 'deletion without identity',
  engine: (parts) => {
    const real = realEngine(parts);
    return {
      ...real,
      finish: async (plan, instances, context) => {
        const tx = await transactionOf(parts, plan);
        if (tx?.state === 'SWAPPED') {
          await parts.journals.append(tx, { type: 'DONE', instances });
          for (const volume of tx.commit?.volumes ?? []) await removeAll(parts.fs, volume.oldPath);
        }
        return real.finish(plan, instances, context);
      },
    };
  },
};

export const movesInsideBeforeCommit: BrokenEngine = {
  mistake: 'inside a mount point: COMMIT after the entries have moved',
  engine: (parts) =>
    alone(
      withAppend(parts, async (tx, body, append) => {
        if (body.type === 'COMMIT') await swapForward(parts.fs, body.volumes);
        return append(tx, body);
      }),
    ),
};

/** Takes whatever lies in the root for the data of before. */
export const recoversInsideByName: BrokenEngine = {
  mistake: 'inside a mount point: recovery by name',
  engine: (parts) => ({
    ...realEngine(parts),
    sweep: sweepBeside(parts, 'COMMIT', async (tx) => {
      for (const { livePath, oldPath, stagingPath } of tx.commit?.volumes ?? []) {
        if (stagingPath === null || (await parts.fs.stat(stagingPath)) === null) continue;
        const move = async (from: string, to: string): Promise<void> => {
          for (const name of await parts.fs.readDirectory(from))
            if (!name.startsWith('.') && (await parts.fs.stat(path.join(to, name))) === null)
              await parts.fs.rename(path.join(from, name), path.join(to, name));
          await parts.fs.syncDirectory(from);
          await parts.fs.syncDirectory(to);
        };
        await move(livePath, oldPath);
        await move(stagingPath, livePath);
      }
      await parts.journals.append(tx, { type: 'SWAPPED' });
    }),
  }),
};

export const forgetsRootInside: BrokenEngine = {
  mistake: 'inside a mount point: owner, mode and time of the root forgotten',
  engine: (parts) => {
    const fs = interceptFsPort(parts.fs, (call, proceed) =>
      ['chown', 'chmod', 'touch'].includes(call.name) && call.args[0] === '/m' ? Promise.resolve() : proceed(),
    );
    return realEngine({ ...parts, fs });
  },
};

/** The old tree is made, and COMMIT says so, before its name is on disk. */
export const syncsNothingInside: BrokenEngine = {
  mistake: 'inside a mount point: no fsync of it',
  engine: (parts) => {
    const fs = interceptFsPort(parts.fs, (call, proceed) =>
      call.name === 'syncDirectory' && String(call.args[0]).startsWith('/m') ? Promise.resolve() : proceed(),
    );
    return realEngine({ ...parts, fs });
  },
};

/** What crashes of a swap inside a mount point show. */
export const KILLED_INSIDE: readonly BrokenEngine[] = [
  movesInsideBeforeCommit,
  recoversInsideByName,
  forgetsRootInside,
  syncsNothingInside,
];
/** What crashes alone show. */
export const KILLED_BY_CRASHES: readonly BrokenEngine[] = [
  renamesBeforeStaged,
  commitsAfterFirstRename,
  syncsNoParent,
  keepsRollbackOpen,
  takesPoliciesOffLate,
  rollsBackQuiesced,
];
/** What it takes a stranger's directory to show. */
export const KILLED_BY_STRANGERS: readonly BrokenEngine[] = [recoversByName, deletesByName];

/** The real sweep after something wrong was done to every transaction in `state`. */
function sweepBeside(
  parts: EngineParts,
  state: Transaction['state'],
  wrong: (tx: Transaction) => Promise<void>,
): RestoreEngine['sweep'] {
  return async (signal) => {
    for (const found of await parts.journals.list())
      if (found.kind === 'transaction' && found.tx.state === state) await wrong(found.tx);
    return realEngine(parts).sweep(signal);
  };
}

async function removeAll(fs: FsPort, directory: string): Promise<void> {
  const found = await fs.stat(directory);
  if (found === null) return;
  if (found.kind !== 'directory') return fs.unlink(directory);
  for (const name of await fs.readDirectory(directory)) await removeAll(fs, path.join(directory, name));
  await fs.rmdir(directory);
}
