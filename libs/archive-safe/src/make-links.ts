import { fstatSync, linkSync, lstatSync, readlinkSync, symlinkSync } from 'node:fs';
import { applySymlinkMetadata, type RestoreRules } from './apply-metadata.ts';
import { bytesOf, escapePath, type ByteString } from './byte-string.ts';
import { at, type DirectoryCursor } from './directory-handle.ts';
import type { HeaderEntry } from './entry.ts';
import { Refusal } from './refusal.ts';

export function makeSymlink(directory: number, name: ByteString, entry: HeaderEntry, rules: RestoreRules): void {
  const path = at(directory, name);
  symlinkSync(bytesOf(entry.link), path);
  applySymlinkMetadata(path, entry, rules);
  if (!readlinkSync(path, { encoding: 'buffer' }).equals(bytesOf(entry.link))) throw notKept(entry);
}

/**
 * Another name of the file that `first` names below the root of `sources`. It must be a regular file, and lie on the file
 * system of the root: link(2) does not follow a symlink, but what it would link then is not what the archive means.
 */
export function makeHardlink(
  sources: DirectoryCursor,
  directory: number,
  name: ByteString,
  first: ByteString[],
  entry: HeaderEntry,
): void {
  const folder = sources.move(first.slice(0, -1));
  const source = at(folder, first.at(-1) as ByteString);
  const before = lstatSync(source, { bigint: true });
  if (!before.isFile() || before.dev !== fstatSync(directory, { bigint: true }).dev) throw notKept(entry);
  const path = at(directory, name);
  linkSync(source, path);
  const after = lstatSync(path, { bigint: true });
  if (after.ino !== before.ino || !after.isFile()) throw notKept(entry);
}

function notKept(entry: HeaderEntry): Refusal {
  return new Refusal('IO_ERROR', 'A link of the archive could not be made as recorded', {
    rule: 'FIDELITY',
    entry: escapePath(entry.path),
    what: 'link',
  });
}
