import type { ArchiveReader } from './archive-reader.ts';
import { escapePath } from './byte-string.ts';
import { ContainedLinks } from './contained-links.ts';
import type { NoteTaker } from './note.ts';
import { damaged } from './refusal.ts';

/**
 * The rules of the import profile on an archive of ours that was made with another key: links by tier, modes of nine bits.
 * `checkIndex` comes first. Tier 1 holds all symlinks of a volume in memory.
 */
export function checkForeignIndex(
  reader: ArchiveReader,
  wanted: ReadonlySet<number>,
  links: 0 | 1,
  notes: NoteTaker,
): void {
  const symlinks = new ContainedLinks();
  for (const [i, { volume }] of reader.table.segments.entries()) {
    if (volume === null || !wanted.has(volume)) continue;
    for (const { path, type, mode, link } of reader.index(i)) {
      const entry = escapePath(path);
      if (links === 0 && (type === 'symlink' || type === 'hardlink')) {
        throw damaged('LINK', 'Links are not taken from an archive of somebody else, unless asked for (links 1)', {
          entry,
          links,
        });
      }
      if (type === 'symlink') symlinks.add(path, link);
      if (type !== 'symlink' && mode > 0o777) notes.add('MODE_CUT', { path: entry, mode: mode.toString(8) });
    }
  }
  for (const path of symlinks.escaping(1)) {
    throw damaged('LINK', 'A symlink leads out of its volume', { entry: escapePath(path) });
  }
}
