import { lstat } from 'node:fs/promises';
import path from 'node:path';
import { ForgeError, type VolumeConfig } from '@tiny-forge/contracts/domain';
import {
  isAbsent,
  overlapByIdentity,
  overlapByLocation,
  overlapOf,
  placeOf,
  type DirectoryPlace,
} from './directory-place.ts';
import type { PluginRegistry } from './registry.ts';
import type { ResolvedVolume, ScopeContext } from './volume-scope.ts';

export interface WorkloadVolume {
  /** Place in the config. */
  readonly index: number;
  readonly volume: VolumeConfig;
  readonly resolved: ResolvedVolume;
}

/** Room for `.<name>.restore-<tx>-<attempt>.new` in the 255 bytes of a file name. */
const MAX_NAME_BYTES = 180;
/** `<data>/volumes/<scope>/<owner>/<source>`: what lies higher up holds directories of other workloads. */
const OWN_VOLUME_DEPTH = 3;
const OWN_NAME = /^\.trash-|^\.tiny-forge-probe-|^\.(.+\.)?restore-[a-z0-9]+(-[0-9]+\.new|\.old)$/;

/**
 * Where every volume of a workload lives on this host, with I13 proven for all of them: no directory is `/`, nor equal to, inside or around a
 * forbidden one or another volume, compared by canonical path, by identity of every ancestor and by place within the file system. The one way
 * from a config to host paths: saving, deploy, capture, pre-flight and the check before the swap all go through it. Reads only.
 * @throws ForgeError UNKNOWN_SCOPE, VOLUME_OUTSIDE_ROOTS, VOLUME_PATH_UNSAFE, VOLUME_FORBIDDEN, VOLUME_OVERLAP; params carry `volume` (its index)
 */
export async function resolveVolumes(
  volumes: readonly VolumeConfig[],
  registry: PluginRegistry,
  context: ScopeContext,
): Promise<WorkloadVolume[]> {
  const forbidden = await Promise.all(
    context.forbidden.map(async ({ path: directory, what }) => ({ what, place: await placeOf(directory) })),
  );
  const ownVolumes = await placeOf(path.join(context.dataDir, 'volumes'));
  const done: { entry: WorkloadVolume; place: DirectoryPlace }[] = [];
  for (const [index, volume] of volumes.entries()) {
    const { plugin, instance } = registry.scope(volume.scope);
    const source = plugin.source.safeParse(volume.source);
    if (!source.success) throw unsafe(index, volume.source, source.error.issues[0]?.message ?? 'refused by its scope');
    const resolved = await instance.resolve(volume, context);
    await assertPlain(index, resolved.hostPath);
    const place = await placeOf(resolved.hostPath);
    for (const { what, place: other } of forbidden) {
      if (meetsForbidden(place, other, ownVolumes)) {
        throw new ForgeError({ code: 'VOLUME_FORBIDDEN', params: { path: resolved.hostPath, what, volume: index } });
      }
    }
    for (const { entry, place: other } of done) {
      if (overlapOf(place, other) !== null) throw overlap(index, resolved.hostPath, entry.resolved.hostPath);
      if (target(volume) === target(entry.volume)) {
        throw overlap(index, volume.target, entry.volume.target);
      }
    }
    done.push({ entry: { index, volume, resolved }, place });
  }
  return done.map(({ entry }) => entry);
}

async function assertPlain(index: number, hostPath: string): Promise<void> {
  if (path.resolve(hostPath) !== hostPath) {
    throw unsafe(index, hostPath, 'not an absolute path in its shortest form');
  }
  if (hostPath === '/') {
    throw new ForgeError({
      code: 'VOLUME_FORBIDDEN',
      params: { path: hostPath, what: 'the root of the file system', volume: index },
    });
  }
  const own = hostPath.split('/').find((name) => OWN_NAME.test(name));
  if (own !== undefined) throw unsafe(index, hostPath, `names like ${own} belong to Tiny Forge`);
  if (Buffer.byteLength(path.basename(hostPath)) > MAX_NAME_BYTES) {
    throw unsafe(index, hostPath, `its last name is longer than ${MAX_NAME_BYTES} bytes`);
  }
  // Component by component: a symlink that leads nowhere is no ENOENT to be taken for a missing directory.
  for (let end = hostPath.indexOf('/', 1); ; end = hostPath.indexOf('/', end + 1)) {
    const ancestor = end < 0 ? hostPath : hostPath.slice(0, end);
    const stat = await lstat(ancestor).catch((error: unknown) => {
      if (isAbsent(error)) return null;
      throw error;
    });
    if (stat?.isSymbolicLink()) throw unsafe(index, hostPath, `it leads through the symlink ${ancestor}`);
    if (stat !== null && !stat.isDirectory()) throw unsafe(index, hostPath, `${ancestor} is not a directory`);
    if (stat === null || end < 0) return;
  }
}

/** `<data>/volumes/...` is excepted from what surrounds it, but not where a mount or link makes it something else. */
function meetsForbidden(place: DirectoryPlace, forbidden: DirectoryPlace, ownVolumes: DirectoryPlace): boolean {
  const below = path.relative(ownVolumes.path, place.path).split('/');
  const isOwn = below[0] !== '..' && below[0] !== '' && below.length >= OWN_VOLUME_DEPTH;
  const surrounds = ownVolumes.path === forbidden.path || ownVolumes.path.startsWith(`${forbidden.path}/`);
  if (!isOwn || !surrounds) return overlapOf(place, forbidden) !== null;
  const existing = place.chain.slice(0, place.chain.length - ownVolumes.chain.length);
  const disguised = overlapByIdentity({ ...place, chain: ownVolumes.self === null ? [] : existing }, forbidden);
  if (disguised !== null) return true;
  return overlapByLocation(place, forbidden) !== null && overlapByLocation(place, ownVolumes) !== 'inside';
}

const target = (volume: VolumeConfig): string => path.posix.normalize(`${volume.target}/`);

const unsafe = (index: number, hostPath: string, why: string): ForgeError =>
  new ForgeError({ code: 'VOLUME_PATH_UNSAFE', params: { path: hostPath, why, volume: index } });

const overlap = (index: number, hostPath: string, other: string): ForgeError =>
  new ForgeError({ code: 'VOLUME_OVERLAP', params: { path: hostPath, other, volume: index } });
