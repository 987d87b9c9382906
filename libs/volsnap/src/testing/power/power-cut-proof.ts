import { existsSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { NodeFsPort } from '../../ports/node-fs-port.ts';
import { makeLive, PERSISTENCE_ROWS, simulated, standing } from '../crash/persistence-rows.ts';
import { copyAtEveryEffect, cutAtEveryEffect } from './cut-power.ts';
import { LoopDisk, noPowerCuts, type LoopKind } from './loop-disk.ts';
import { LoopWorld } from './loop-world.ts';
import { isProof, oneIn } from '../proof.ts';
import { proofNote } from '../proof-note.ts';

const MINUTES = 60_000;
/** After one of so many effects. Not by threes: the way of recovering goes round the three there are. */
const stride = oneIn(13, 5);

const under = existsSync('/var/tmp') ? '/var/tmp' : tmpdir();

/** Real power cuts on one kind of file system; skipped, loudly, where none can be made. */
export function powerCutProof(kind: LoopKind): void {
  describe(`a power cut on real ${kind}`, () => {
    const why = noPowerCuts(kind);
    if (why !== null) proofNote(`SKIPPED: power cuts on ${kind}: ${why}`);
    const here = why === null ? describe : describe.skip;

    here('of a file system alone', () => {
      const folder = path.join(under, `tf-rows-${process.pid}-${kind}`);
      const disk = new LoopDisk(path.join(folder, 'image'), path.join(folder, 'mounted'));
      beforeAll(async () => {
        await mkdir(folder);
        await disk.make(kind);
        await disk.mount();
      }, MINUTES);
      afterAll(async () => {
        await disk.unmount();
        await rm(folder, { recursive: true });
      }, MINUTES);

      it.each(PERSISTENCE_ROWS.map((row, index) => ({ ...row, index })))(
        'leaves what the simulation says it may: $name',
        async ({ index, ...row }) => {
          const fs = new NodeFsPort();
          const root = path.join(disk.mountPoint, `${index}`);
          await fs.mkdir(root, 0o755);
          await makeLive(fs, root);
          await fs.syncFileSystem(root);
          await row.act(fs, root);
          await disk.cutPower();
          await disk.unmount();
          await disk.mount();
          const found = await standing(fs, root);
          proofNote(`${kind}: ${row.name}: ${found}`);
          for (const model of ['ordered', 'weak'] as const) expect(await simulated(row, model)).toContain(found);
        },
        MINUTES,
      );
    });

    here.each([
      ['two directories', 'beside'],
      ['a directory and a mount point', 'mount point'],
    ] as const)('of both file systems of a restore of %s', (what, shape) => {
      let world: LoopWorld;
      beforeAll(async () => {
        world = await LoopWorld.build(kind, shape, under);
      }, MINUTES);
      afterAll(() => world.remove(), MINUTES);

      it(
        'after every effect: all old or all new',
        async () => {
          const found = await cutAtEveryEffect(world, isProof ? 1 : 3, stride);
          proofNote(
            `${kind}, ${what}: power cut after ${found.cuts} effects: ${found.old} all old, ${found.new} all new`,
          );
          expect(found.old).toBeGreaterThan(0);
          expect(found.new).toBeGreaterThan(0);
        },
        15 * MINUTES,
      );

      it.each([
        ['as it is written', () => false],
        ['with a sync here and there', (effect: number) => effect % 7 === 3],
      ] as const)(
        'in a copy of the devices after every effect, %s: all old or all new',
        async (how, sync) => {
          const found = await copyAtEveryEffect(world, stride, sync);
          proofNote(
            `${kind}, ${what}: ${found.cuts} copies of live devices, ${how}: ${found.old} all old, ${found.new} all new`,
          );
          expect(found.cuts).toBeGreaterThan(3);
        },
        15 * MINUTES,
      );
    });
  });
}
