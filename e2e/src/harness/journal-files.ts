import fs from 'node:fs';
import path from 'node:path';

export interface JournalRecord {
  readonly type: string;
  readonly [field: string]: unknown;
}

/** Journals that are not in `closed/` (restore.md 3), with the names of their records as far as they can be read. */
export function openJournals(dataDir: string): { readonly file: string; readonly records: string[] }[] {
  const folder = path.join(dataDir, 'journal');
  if (!fs.existsSync(folder)) return [];
  return fs
    .readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => ({ file: entry.name, records: recordsOf(path.join(folder, entry.name)) }));
}

export function closedJournals(dataDir: string): string[] {
  const folder = path.join(dataDir, 'journal', 'closed');
  return fs.existsSync(folder) ? fs.readdirSync(folder).sort() : [];
}

/** Names of the records, in order. Blocks written ahead are zeros. */
export function recordsOf(file: string): string[] {
  const names: string[] = [];
  for (const line of fs.readFileSync(file, 'utf8').replaceAll('\0', '').split('\n')) {
    const start = line.indexOf('{');
    if (start < 0) continue;
    try {
      names.push((JSON.parse(line.slice(start)) as JournalRecord).type);
    } catch {
      return names;
    }
  }
  return names;
}
