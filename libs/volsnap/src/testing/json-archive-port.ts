import { createHash } from 'node:crypto';
import path from 'node:path';
import { ForgeError, type Manifest } from '@tiny-forge/contracts/domain';
import { isTree, standingAt } from '../identity/tree-identity.ts';
import type { ArchivePort } from '../ports/archive-port.ts';
import type { FsPort } from '../ports/fs-port.ts';
import { NodeFsPort } from '../ports/node-fs-port.ts';

interface Stored {
  readonly manifest: Manifest;
  readonly volumes: readonly { readonly index: number; readonly files: Readonly<Record<string, string>> | null }[];
}

const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');
const damaged = (why: string): ForgeError =>
  new ForgeError({ code: 'ARCHIVE_DAMAGED', params: { entry: 'the archive file', why } });

/**
 * Archives of text files as one JSON file, without threads: for tests that run thousands of restores and look at the transaction, not at archives.
 * Every effect goes through `fs`, so that content too can be lost, torn and refused. Passes the same contract as the real port.
 */
export function jsonArchive(fs: FsPort): ArchivePort {
  return {
    async verify({ file, sha256: expected, signal }) {
      stopIfAborted(signal);
      const bytes = await fs.readFile(file);
      if (sha256(bytes) !== expected) throw damaged('another hash');
      const stored = JSON.parse(bytes.toString('utf8')) as Stored;
      return { manifest: stored.manifest, ...sum(stored) };
    },

    async extract({ file, roots, signal, onProgress }) {
      stopIfAborted(signal);
      const stored = JSON.parse((await fs.readFile(file)).toString('utf8')) as Stored;
      let contentBytes = 0;
      let entries = 0;
      for (const { index, directory } of roots) {
        const files = stored.volumes.find((volume) => volume.index === index)?.files;
        if (!files) throw damaged(`no volume ${index}`);
        if ((await fs.readDirectory(directory)).length > 0)
          throw new ForgeError({ code: 'IO_ERROR', params: { call: 'extract', path: directory, why: 'ENOTEMPTY' } });
        for (const [name, content] of Object.entries(files)) {
          await makeDirectories(fs, directory, path.dirname(name));
          await writeWhole(fs, path.join(directory, name), Buffer.from(content));
          contentBytes += Buffer.byteLength(content);
        }
        await fs.chmod(directory, 0o755);
        entries += Object.keys(files).length + 1;
      }
      onProgress({ doneBytes: contentBytes, totalBytes: contentBytes, doneEntries: entries, totalEntries: entries });
      return { contentBytes, entries };
    },

    async create({ file, manifest, volumes, signal }) {
      stopIfAborted(signal);
      const taken: { index: number; files: Record<string, string> | null }[] = [];
      for (const { index, directory, exclude } of volumes)
        taken.push({ index, files: directory === null ? null : await filesOf(fs, directory, exclude) });
      const stored: Stored = { manifest, volumes: taken };
      stopIfAborted(signal);
      const bytes = Buffer.from(JSON.stringify(stored));
      const fd = await fs.create(file);
      await fs.write(fd, 0, bytes);
      await fs.sync(fd);
      await fs.close(fd);
      const counted = stored.volumes.map(({ index, files }) => ({ index, ...sumOf(files) }));
      return { sha256: sha256(bytes), bytes: bytes.length, ...sum(stored), volumes: counted, notes: [] };
    },

    warm: () => Promise.resolve(null),

    async measure(directory, exclude) {
      return sumOf(await filesOf(fs, directory, exclude));
    },

    async removeTree(directory, identity) {
      const standing = await standingAt(fs, directory);
      if (standing.kind === 'absent') return;
      if (!isTree(standing, identity))
        throw new ForgeError({ code: 'IO_ERROR', params: { call: 'remove', path: directory, why: 'another tree' } });
      await removeAll(fs, directory);
    },
  };
}

/** On the real file system. */
export const jsonArchivePort: ArchivePort = jsonArchive(new NodeFsPort());

function stopIfAborted(signal: AbortSignal): void {
  if (signal.aborted) throw new ForgeError({ code: 'CANCELLED' });
}

async function makeDirectories(fs: FsPort, root: string, below: string): Promise<void> {
  if (below === '.') return;
  await makeDirectories(fs, root, path.dirname(below));
  const directory = path.join(root, below);
  if ((await fs.stat(directory)) === null) await fs.mkdir(directory, 0o755);
}

export async function writeWhole(fs: FsPort, file: string, content: Buffer): Promise<void> {
  const fd = await fs.create(file);
  try {
    await fs.write(fd, 0, content);
  } finally {
    await fs.close(fd);
  }
}

async function removeAll(fs: FsPort, directory: string): Promise<void> {
  for (const name of await fs.readDirectory(directory)) {
    const entry = path.join(directory, name);
    if ((await fs.stat(entry))?.kind === 'directory') await removeAll(fs, entry);
    else await fs.unlink(entry);
  }
  await fs.rmdir(directory);
}

async function filesOf(
  fs: FsPort,
  root: string,
  exclude: readonly string[],
  below = '',
): Promise<Record<string, string>> {
  const files: Record<string, string> = {};
  for (const name of await fs.readDirectory(path.join(root, below))) {
    if (below === '' && exclude.includes(name)) continue;
    const entry = path.join(root, below, name);
    const kind = (await fs.stat(entry))?.kind;
    if (kind === 'directory') Object.assign(files, await filesOf(fs, root, exclude, path.join(below, name)));
    if (kind === 'file') files[path.join(below, name)] = (await fs.readFile(entry)).toString('utf8');
  }
  return files;
}

function sumOf(files: Readonly<Record<string, string>> | null): { contentBytes: number; entries: number } {
  if (!files) return { contentBytes: 0, entries: 0 };
  const contents = Object.values(files);
  return { contentBytes: contents.reduce((all, one) => all + Buffer.byteLength(one), 0), entries: contents.length + 1 };
}

function sum({ volumes }: Stored): { contentBytes: number; entries: number } {
  return volumes
    .map(({ files }) => sumOf(files))
    .reduce((all, one) => ({ contentBytes: all.contentBytes + one.contentBytes, entries: all.entries + one.entries }), {
      contentBytes: 0,
      entries: 0,
    });
}
