import { expect } from '@jest/globals';
import { proofNote } from '../proof-note.ts';
import type { WorldShape } from './crash-world.ts';
import { explore, type ExploreOptions } from './explore.ts';

const volume = { disk: 'a', live: 'present', captured: 'present' } as const;
/** A volume whose live directory is the mount point of `m`. */
const mounted = { ...volume, disk: 'm' } as const;
const elsewhere = { ...volume, disk: 'b' } as const;
const one: WorldShape = { model: 'ordered', volumes: [volume], app: 'running', trees: 'small' };

/** What restores are about, by name. All in the ordered model. */
export const SHAPES = {
  '1 volume': one,
  '1 volume, deeper trees': { ...one, trees: 'deep' },
  '1 volume on another file system than the journal': { ...one, volumes: [elsewhere] },
  '2 volumes on 1 file system': { ...one, volumes: [volume, volume] },
  '2 volumes on 2 file systems': { ...one, volumes: [volume, elsewhere] },
  '3 volumes on 2 file systems': { ...one, volumes: [volume, elsewhere, volume] },
  'the app stopped before': { ...one, app: 'stopped' },
  'a live directory absent': { ...one, app: 'absent', volumes: [{ ...volume, live: 'absent' }, elsewhere] },
  'its parents absent too': {
    ...one,
    app: 'absent',
    volumes: [{ ...volume, live: 'absent', parent: 'missing' }, elsewhere],
  },
  'a volume absent in the snapshot': { ...one, volumes: [{ ...volume, captured: 'absent' }, elsewhere] },
  'a volume absent on both sides': {
    ...one,
    app: 'absent',
    volumes: [{ ...volume, captured: 'absent', live: 'absent' }, volume],
  },
  'a mount point': { ...one, volumes: [mounted] },
  'a mount point and a plain directory': { ...one, volumes: [mounted, volume] },
  'the old tree kept in a mount point': { ...one, volumes: [mounted], safety: 'keep-old-tree' },
  'a mount point, the app stopped before': { ...one, volumes: [mounted], app: 'stopped' },
  'old trees kept instead of a snapshot': { ...one, volumes: [volume, elsewhere], safety: 'keep-old-tree' },
} as const satisfies Readonly<Record<string, WorldShape>>;

export type ShapeName = keyof typeof SHAPES;

/** Explores one shape in one model, tells the numbers, and expects that nothing was wrong and nothing left out. */
export async function provesShape(name: ShapeName, model: WorldShape['model'], options: ExploreOptions): Promise<void> {
  const began = performance.now();
  const found = await explore({ ...SHAPES[name], model }, options);
  const seconds = ((performance.now() - began) / 1000).toFixed(1);
  const { states, recoveries, byDepth } = found;
  const depths = options.depth === 2 ? ` (${byDepth.join(' + ')})` : '';
  proofNote(`${model}, ${name}: ${states} states${depths}, ${recoveries} recoveries, ${seconds} s`);
  expect(found.failures).toEqual([]);
  expect(found.exhaustive).toBe(true);
  expect(states).toBeGreaterThan(50);
}
