import { createHash } from 'node:crypto';
import { chmod, lstat, mkdir, open, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { ForgeError, type Manifest } from '@tiny-forge/contracts/domain';
import type { ArchivePort } from '../ports/archive-port.ts';

interface Stored {
  readonly manifest: Manifest;
  readonly volumes: readonly { readonly index: number; readonly files: Readonly<Record<string, string>> | null }[];
}

const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');
const damaged = (why: string): ForgeError =>
  new ForgeError({ code: 'ARCHIVE_DAMAGED', params: { entry: 'the archive file', why } });

/**
 * Archives of text files as one JSON file, without threads: for tests that run hundreds of restores and look at the transaction, not at archives.
 * Passes the same contract as the real port.
 */
export const jsonArchivePort: ArchivePort = {
  async verify({ file, sha256: expected, signal }) {
    stopIfAborted(signal);
    const bytes = await readFile(file);
    if (sha256(bytes) !== expected) throw damaged('another hash');
    const stored = JSON.parse(bytes.toString('utf8')) as Stored;
    return { manifest: stored.manifest, ...sum(stored) };
  },

  async extract({ file, roots, signal, onProgress }) {
    stopIfAborted(signal);
    const stored = JSON.parse(await readFile(file, 'utf8')) as Stored;
    let contentBytes = 0;
    let entries = 0;
    for (const { index, directory } of roots) {
      const files = stored.volumes.find((volume) => volume.index === index)?.files;
      if (!files) throw damaged(`no volume ${index}`);
      if ((await readdir(directory)).length > 0)
        throw new ForgeError({ code: 'IO_ERROR', params: { call: 'extract', path: directory, why: 'ENOTEMPTY' } });
      for (const [name, content] of Object.entries(files)) {
        const target = path.join(directory, name);
        await mkdir(path.dirname(target), { recursive: true });
        await writeFile(target, content);
        contentBytes += Buffer.byteLength(content);
      }
      await chmod(directory, 0o755);
      entries += Object.keys(files).length + 1;
    }
    onProgress({ doneBytes: contentBytes, totalBytes: contentBytes, doneEntries: entries, totalEntries: entries });
    return { contentBytes, entries };
  },

  async create({ file, manifest, volumes, signal }) {
    stopIfAborted(signal);
    const stored: Stored = {
      manifest,
      volumes: await Promise.all(
        volumes.map(async ({ index, directory }) => ({
          index,
          files: directory === null ? null : await filesOf(directory),
        })),
      ),
    };
    stopIfAborted(signal);
    const bytes = Buffer.from(JSON.stringify(stored));
    const handle = await open(file, 'wx');
    await handle.writeFile(bytes);
    await handle.sync();
    await handle.close();
    const counted = stored.volumes.map(({ index, files }) => ({ index, ...sumOf(files) }));
    return { sha256: sha256(bytes), bytes: bytes.length, ...sum(stored), volumes: counted, notes: [] };
  },

  async measure(directory) {
    return sumOf(await filesOf(directory));
  },

  async removeTree(directory, identity) {
    const found = await lstat(directory, { bigint: true }).catch(() => null);
    if (!found) return;
    if (`${found.ino}` !== identity.inode || `${found.birthtimeNs}` !== identity.birthTimeNs)
      throw new ForgeError({ code: 'IO_ERROR', params: { call: 'remove', path: directory, why: 'another tree' } });
    await rm(directory, { recursive: true });
  },
};

function stopIfAborted(signal: AbortSignal): void {
  if (signal.aborted) throw new ForgeError({ code: 'CANCELLED' });
}

async function filesOf(directory: string): Promise<Record<string, string>> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  const files: Record<string, string> = {};
  for (const entry of entries.filter((one) => one.isFile())) {
    const file = path.join(entry.parentPath, entry.name);
    files[path.relative(directory, file)] = await readFile(file, 'utf8');
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
