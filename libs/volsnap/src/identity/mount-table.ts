import type { MountEntry } from '@tiny-forge/docker';

/** Whether `inner` equals `outer` or lies inside it. */
export const isWithin = (inner: string, outer: string): boolean =>
  inner === outer || inner.startsWith(outer === '/' ? '/' : `${outer}/`);

export const overlaps = (a: string, b: string): boolean => isWithin(a, b) || isWithin(b, a);

export const mountsAtOrBelow = (mounts: readonly MountEntry[], path: string): MountEntry[] =>
  mounts.filter((mount) => isWithin(mount.mountPoint, path));

/** Mounts that the swap of a target cannot work with: any below it, and the one at it unless the swap is to happen inside that. */
export const mountsInTheWay = (
  mounts: readonly MountEntry[],
  target: { readonly hostPath: string; readonly swap?: 'inner' },
): MountEntry[] =>
  mountsAtOrBelow(mounts, target.hostPath).filter(
    (mount) => target.swap !== 'inner' || mount.mountPoint !== target.hostPath,
  );

/** The mount that `path` is on: the deepest, and of stacked ones the last. */
export const mountHolding = (mounts: readonly MountEntry[], path: string): MountEntry | undefined =>
  mounts
    .filter((mount) => isWithin(path, mount.mountPoint))
    .reduce<MountEntry | undefined>(
      (best, mount) => (best && best.mountPoint.length > mount.mountPoint.length ? best : mount),
      undefined,
    );
