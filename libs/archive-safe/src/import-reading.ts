import { createHash, type Hash } from 'node:crypto';
import { fstatSync } from 'node:fs';
import type { HeaderEntry, IndexEntry } from './entry.ts';
import { importDialect } from './import-dialect.ts';
import { ImportSink, overBudget, type ImportRules, type ImportTotals } from './import-sink.ts';
import { importedStream } from './imported-stream.ts';
import { NoteList, type NoteTaker } from './note.ts';
import { damaged } from './refusal.ts';
import { SourceBytes } from './source-bytes.ts';
import { TarParser, type TarSink } from './tar-parser.ts';

/** Headers, PAX records and padding of one archive. */
const maxMetaBytes = 1 << 30;

/**
 * Reads a whole foreign archive, once: every rule of the import profile, in bounded memory. `inner` gets what passed.
 * Nothing is known to be good before this returns.
 */
export async function readImport(
  fd: number,
  rules: ImportRules,
  notes: NoteTaker,
  inner?: TarSink,
  afterChunk?: (inflatedBytes: number) => void,
): Promise<ImportTotals> {
  const stat = fstatSync(fd);
  if (!stat.isFile()) throw damaged('MAGIC', 'The archive is not a regular file');
  const sink = new ImportSink(rules, notes, inner);
  const parser = new TarParser(sink, 0, importDialect);
  for await (const chunk of importedStream(new SourceBytes(fd, stat.size))) {
    parser.push(chunk);
    afterChunk?.(chunk.length);
    const meta = parser.offset - sink.totals.contentBytes;
    if (meta > maxMetaBytes) throw overBudget(meta, maxMetaBytes);
  }
  parser.finishArchive();
  return sink.finish();
}

/** Makes index entries of what is read: for a listing. */
class ListingSink implements TarSink {
  #entries: IndexEntry[] = [];
  #hash: Hash | undefined;

  entry(entry: HeaderEntry): void {
    this.#entries.push({ ...entry, sparse: false });
    this.#hash = entry.type === 'file' ? createHash('sha256') : undefined;
  }

  data(chunk: Buffer): void {
    this.#hash?.update(chunk);
  }

  entryEnd(): void {
    const entry = this.#entries.at(-1);
    if (entry !== undefined && this.#hash !== undefined) entry.sha256 = this.#hash.digest();
    this.#hash = undefined;
  }

  /** The entries that are whole. */
  take(): IndexEntry[] {
    const open = this.#hash === undefined ? [] : [this.#entries.pop() as IndexEntry];
    const whole = this.#entries;
    this.#entries = open;
    return whole;
  }
}

const entriesPerBatch = 1000;

/** The entries of a foreign archive in its own order, hashed, a batch at a time. */
export async function* listImport(fd: number, rules: ImportRules): AsyncGenerator<IndexEntry[], void, void> {
  const listing = new ListingSink();
  const { size } = fstatSync(fd);
  const sink = new ImportSink(rules, new NoteList(), listing);
  const parser = new TarParser(sink, 0, importDialect);
  let batch: IndexEntry[] = [];
  for await (const chunk of importedStream(new SourceBytes(fd, size))) {
    parser.push(chunk);
    batch.push(...listing.take());
    if (batch.length < entriesPerBatch) continue;
    yield batch;
    batch = [];
  }
  parser.finishArchive();
  sink.finish();
  if (batch.length > 0) yield batch;
}
