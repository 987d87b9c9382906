import { closeSync, constants, futimesSync, openSync, writeSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { at, closeReadOnly, openDirectory } from './directory-handle.ts';
import { manifestPath } from './entry.ts';
import { extractForeign, extractVolumes, type ExtractedVolume, type ExtractVolumesOptions } from './extract-volumes.ts';
import { forgeError } from './forge-fault.ts';
import { readWholeIndex } from './read-index.ts';

export interface ExtractArchiveOptions extends Omit<ExtractVolumesOptions, 'targets' | 'key'> {
  /** Null: an archive of ours with any key, by the rules of an import and with its tier of links. */
  trust: { key: Buffer } | { key: null; links: 0 | 1 };
  /** Existing empty directory. */
  dir: string;
}

/** The tree that `tar -x` would give: each volume below its number, and `manifest.json`. */
export async function extractArchive(options: ExtractArchiveOptions): Promise<ExtractedVolume[]> {
  const { trust, dir, ...common } = options;
  const { index, manifestBytes } = await readWholeIndex(options.file, trust.key, options.signal, 0);
  const targets = index.volumes
    .filter(({ absent }) => !absent)
    .map((volume) => ({ index: volume.index, dir: path.join(dir, `${volume.index}`) }));
  try {
    for (const target of targets) await mkdir(target.dir, { mode: 0o700 });
    const restored =
      trust.key === null
        ? await extractForeign({ ...common, targets, links: trust.links })
        : await extractVolumes({ ...common, targets, key: trust.key });
    writeManifest(dir, manifestBytes);
    return restored;
  } catch (error) {
    throw forgeError(error);
  }
}

function writeManifest(dir: string, bytes: Buffer): void {
  const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;
  const root = openDirectory(dir);
  try {
    const fd = openSync(at(root, manifestPath), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o644);
    try {
      for (let done = 0; done < bytes.length;) done += writeSync(fd, bytes, done);
      futimesSync(fd, 0, 0);
    } finally {
      closeSync(fd);
    }
  } finally {
    closeReadOnly(root);
  }
}
