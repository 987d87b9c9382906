import { expect } from '@jest/globals';
import { FS_READS, interceptFsPort } from '../../ports/fs-port.ts';
import { NodeFsPort } from '../../ports/node-fs-port.ts';
import { OPERATION } from '../crash/crash-world.ts';
import { AFTER_CRASH, goForward, walkOn } from '../crash/walks.ts';
import type { LoopWorld } from './loop-world.ts';

const never = new AbortController().signal;

/** A port that calls `after` with the number of every call that changes something. */
const counting = (after: (effect: number) => Promise<void>) => {
  let effects = 0;
  return interceptFsPort(new NodeFsPort(), async (call, proceed) => {
    const answer = await proceed();
    if (!FS_READS.includes(call.name)) await after(++effects);
    return answer;
  });
};

/** Recovers in one of the ways there are, and expects I4, I5, I7, no leftovers, and an app that is as it should be. */
async function expectRecovery(world: LoopWorld, at: number): Promise<'old' | 'new'> {
  const walk = AFTER_CRASH[at % AFTER_CRASH.length] ?? 'recovers';
  const fs = new NodeFsPort();
  const report = await world.engine(fs).sweep(never);
  expect(report).toMatchObject({ corrupt: [], unresolved: [] });
  expect(['old', 'new']).toContain(world.side());
  await walkOn(walk, world.engine(fs), world, world.plan, 'back');
  const status = await world.engine(fs).status(OPERATION);
  const side = status?.done === true ? 'new' : 'old';
  expect(world.side()).toBe(side);
  expect(world.leftovers()).toEqual([]);
  expect(world.wrongRoots(side)).toEqual([]);
  expect(world.violations).toEqual([]);
  expect(world.docker.mounted()).toHaveLength(world.livePaths.length);
  expect(await world.engine(fs).sweep(never)).toMatchObject({ swappedForward: [], swappedBack: [], collected: [] });
  expect(world.side()).toBe(side);
  return side;
}

export interface CutReport {
  readonly cuts: number;
  readonly old: number;
  readonly new: number;
}

/** Cuts the power after effect `first`, `first + stride`, ... of a restore, each on a machine made anew. */
export async function cutAtEveryEffect(world: LoopWorld, first: number, stride: number): Promise<CutReport> {
  const ends = { old: 0, new: 0 };
  let cuts = 0;
  for (let at = first; ; at += stride) {
    await world.reset();
    let isCut = false;
    const fs = counting(async (effect) => {
      if (effect !== at) return;
      isCut = true;
      for (const disk of world.disks) await disk.cutPower();
    });
    const run = goForward(world.engine(fs), world, world.plan, 'forward');
    await run.catch((error: unknown) => {
      if (!isCut) throw error;
    });
    if (!isCut) break;
    await world.unmount();
    await world.mount();
    world.boot(world.docker);
    await recovered(world, at, ends);
    cuts++;
  }
  return { cuts, ...ends };
}

/** Copies both devices after every effect of one restore while it runs, and recovers on every pair of copies. */
export async function copyAtEveryEffect(
  world: LoopWorld,
  stride: number,
  sync: (effect: number) => boolean,
): Promise<CutReport> {
  await world.reset();
  const copies: { readonly at: number; readonly docker: LoopWorld['docker']; readonly files: readonly string[] }[] = [];
  const fs = counting(async (effect) => {
    if (sync(effect)) await new NodeFsPort().syncFileSystem(world.disks[effect % 2 === 0 ? 0 : 1].mountPoint);
    if (effect % stride !== 0) return;
    const files = world.disks.map((disk) => `${disk.image}.${effect}`);
    for (const [index, disk] of world.disks.entries()) await disk.copyTo(files[index] as string);
    copies.push({ at: effect, docker: world.docker.cloneOn({ treeAt: () => null }), files });
  });
  await goForward(world.engine(fs), world, world.plan, 'forward');
  const ends = { old: 0, new: 0 };
  for (const { at, docker, files } of copies) {
    await world.unmount();
    for (const [index, disk] of world.disks.entries()) await disk.takeFrom(files[index] as string);
    await world.mount();
    world.violations.length = 0;
    world.boot(docker);
    await recovered(world, at, ends);
  }
  return { cuts: copies.length, ...ends };
}

async function recovered(world: LoopWorld, at: number, ends: { old: number; new: number }): Promise<void> {
  try {
    ends[await expectRecovery(world, at)]++;
  } catch (error) {
    throw new Error(`the power was cut after effect ${at}`, { cause: error });
  }
}
