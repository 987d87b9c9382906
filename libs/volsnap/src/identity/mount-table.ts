import type { MountEntry } from '@tiny-forge/docker';

/** Whether `inner` equals `outer` or lies inside it. */
export const isWithin = (inner: string, outer: string): boolean =>
  inner === outer || inner.startsWith(outer === '/' ? '/' : `${outer}/`);

export const overlaps = (a: string, b: string): boolean => isWithin(a, b) || isWithin(b, a);

export const mountsAtOrBelow = (mounts: readonly MountEntry[], path: string): MountEntry[] =>
  mounts.filter((mount) => isWithin(mount.mountPoint, path));

/** The mount that `path` is on: the deepest, and of stacked ones the last. */
export const mountHolding = (mounts: readonly MountEntry[], path: string): MountEntry | undefined =>
  mounts
    .filter((mount) => isWithin(path, mount.mountPoint))
    .reduce<MountEntry | undefined>(
      (best, mount) => (best && best.mountPoint.length > mount.mountPoint.length ? best : mount),
      undefined,
    );
