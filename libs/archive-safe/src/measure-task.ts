import type { ByteString } from './byte-string.ts';
import { openDirectory, closeReadOnly } from './directory-handle.ts';
import type { LinkTier } from './link-policy.ts';
import { NoteList, type Note } from './note.ts';
import { TreeWalk } from './tree-walk.ts';

export interface TreeMeasure {
  /** Sum of file sizes, each file once. */
  contentBytes: number;
  /** Entries an archive of the tree would have, its root included. */
  entries: number;
  /** Inodes a restored tree takes. */
  inodes: number;
  notes: Note[];
  /** What the link tier forbids: escaped paths, at most 20; `violationCount` is the whole number. */
  violations: string[];
  violationCount: number;
}

export function measureTask(root: string, prefix: ByteString, links: LinkTier, exclude: ByteString[]): TreeMeasure {
  const notes = new NoteList();
  const walk = new TreeWalk({ prefix, links, exclude: new Set(exclude), notes, holdLinked: false });
  const measure = { contentBytes: 0, entries: 0, inodes: 0 };
  const fd = openDirectory(root);
  try {
    for (const entry of walk.walk(fd)) {
      measure.entries++;
      measure.contentBytes += entry.size;
      if (entry.type !== 'hardlink') measure.inodes++;
    }
  } finally {
    closeReadOnly(fd);
  }
  const { violations, violationCount } = walk.policy;
  return { ...measure, notes: notes.list(), violations, violationCount };
}
