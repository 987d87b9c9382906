import type { HeaderEntry } from '../entry.ts';
import { importDialect } from '../import-dialect.ts';
import { ImportSink } from '../import-sink.ts';
import { NoteList } from '../note.ts';
import { Refusal } from '../refusal.ts';
import { TarParser, type TarSink } from '../tar-parser.ts';

export interface Parsed {
  entries: (HeaderEntry & { body: string })[];
  /** The rule that refused the stream, where and at which entry. */
  rule?: string;
  offset?: unknown;
  entry?: unknown;
}

/** Parses a whole stream, cut as `cuts` says: a chunk size, or a list of chunk sizes that is repeated. */
export function parse(
  bytes: Buffer,
  cuts: number | readonly number[] = bytes.length || 1,
  { dialect = 'own' }: { dialect?: 'own' | 'import' } = {},
): Parsed {
  const sizes = typeof cuts === 'number' ? [cuts] : cuts;
  const parsed: Parsed = { entries: [] };
  const sink: TarSink = {
    entry: (entry) => void parsed.entries.push({ ...entry, body: '' }),
    data: (chunk) => {
      const last = parsed.entries.at(-1);
      if (last !== undefined) last.body += chunk.toString('latin1');
    },
    entryEnd: () => undefined,
  };
  const rules = { links: 1 as const, maxBytes: Number.MAX_SAFE_INTEGER, maxEntries: 10_000 };
  const foreign = dialect === 'import' ? new ImportSink(rules, new NoteList(), sink) : undefined;
  const parser = new TarParser(foreign ?? sink, 0, foreign && importDialect);
  try {
    for (let at = 0, i = 0; at < bytes.length; i++) {
      const end = at + (sizes[i % sizes.length] as number);
      // A copy per chunk: a parser that keeps a view of an earlier chunk would see it overwritten.
      const chunk = Buffer.from(bytes.subarray(at, end));
      parser.push(chunk);
      chunk.fill(0xee);
      at = end;
    }
    parser.finishArchive();
    foreign?.finish();
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    parsed.rule = String(error.details['rule']);
    parsed.offset = error.details['offset'];
    parsed.entry = error.details['entry'];
  }
  return parsed;
}
