import {
  createArchive,
  extractVolumes,
  measureTree,
  readIndex,
  removeTree,
  verifyArchive,
  warmArchive,
  type CreateArchiveOptions,
  type WarmArchive,
} from '@tiny-forge/archive-safe';
import { ForgeError, type Manifest } from '@tiny-forge/contracts/domain';
import type { ArchivePort, ArchiveRequest, SpaceReserve } from './archive-port.ts';

/** restore.md 1: free space is looked at every 64 MiB and 1,000 entries. */
const spaceRule = (reserve: SpaceReserve) => ({
  everyBytes: 64 * 1024 ** 2,
  everyEntries: 1000,
  minFreeBytes: reserve.bytes,
  minFreeInodes: reserve.inodes,
});

const noEntries = { doneEntries: 0, totalEntries: 0 };

const optionsOf = (key: Buffer, request: ArchiveRequest): CreateArchiveOptions => ({
  file: request.file,
  codec: request.codec,
  manifest: request.manifest,
  volumes: request.volumes.map(({ index, directory, links, exclude }) => ({ index, root: directory, links, exclude })),
  key,
  signal: request.signal,
  ...(request.reserve && { freeSpaceCheck: spaceRule(request.reserve) }),
  onProgress: ({ doneBytes, doneEntries }) =>
    request.onProgress({ doneBytes, totalBytes: 0, doneEntries, totalEntries: 0 }),
});

/** The real archives. Work runs in archive-safe's worker threads. @param key of the installation, 32 bytes */
export function archiveSafePort(key: Buffer): ArchivePort {
  return {
    async verify({ file, sha256, signal, onProgress }) {
      const verified = await verifyArchive(file, {
        key,
        expectedSha256: sha256,
        signal,
        onProgress: (done) => onProgress({ ...done, ...noEntries }),
      });
      const { manifest } = await readIndex(file, { key, signal });
      return { manifest: manifest as Manifest, contentBytes: verified.contentBytes, entries: verified.entries };
    },

    async extract({ file, roots, reserve, signal, onProgress }) {
      const volumes = await extractVolumes({
        file,
        key,
        targets: roots.map(({ index, directory }) => ({ index, dir: directory })),
        spaceCheck: spaceRule(reserve),
        signal,
        onProgress,
      });
      return {
        contentBytes: volumes.reduce((sum, volume) => sum + volume.contentBytes, 0),
        entries: volumes.reduce((sum, volume) => sum + volume.entries, 0),
      };
    },

    async create({ warm, ...request }) {
      const created = await createArchive({
        ...optionsOf(key, request),
        ...(warm !== null && { warm: warm as WarmArchive }),
      });
      return { ...created, notes: created.notes.map(({ code, params }) => ({ code, params })) };
    },

    async warm(request) {
      return (await warmArchive(optionsOf(key, request))) ?? null;
    },

    measure: (directory, exclude, signal) => measureTree(directory, { signal, exclude }),

    async removeTree(directory, identity, signal) {
      const { inode, birthTimeNs } = identity;
      await removeTree(directory, { expectedIdentity: { inode, birthtimeNs: birthTimeNs }, signal });
    },
  };
}

/** Whether the manifest inside the archive is the one the catalogue holds. @throws ARCHIVE_TAMPERED */
export function assertSameManifest(inside: Manifest, catalogued: Manifest): void {
  const shape = (manifest: Manifest): string =>
    JSON.stringify([
      manifest.formatVersion,
      manifest.quiesce,
      manifest.volumes.map(({ index, target, scope, source, absent, links }) => [
        index,
        target,
        scope,
        source,
        absent ?? false,
        links ?? null,
      ]),
    ]);
  if (shape(inside) !== shape(catalogued))
    throw new ForgeError({ code: 'ARCHIVE_TAMPERED', params: { why: 'its manifest differs from the catalogue' } });
}
