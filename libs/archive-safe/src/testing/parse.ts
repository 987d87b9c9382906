import type { HeaderEntry } from '../entry.ts';
import { Refusal } from '../refusal.ts';
import { TarParser } from '../tar-parser.ts';

export interface Parsed {
  entries: (HeaderEntry & { body: string })[];
  /** The rule that refused the stream. */
  rule?: string;
}

/** Parses a whole stream, cut as `cuts` says: a chunk size, or a list of chunk sizes that is repeated. */
export function parse(bytes: Buffer, cuts: number | readonly number[] = bytes.length || 1): Parsed {
  const sizes = typeof cuts === 'number' ? [cuts] : cuts;
  const parsed: Parsed = { entries: [] };
  const parser = new TarParser({
    entry: (entry) => void parsed.entries.push({ ...entry, body: '' }),
    data: (chunk) => {
      const last = parsed.entries.at(-1);
      if (last !== undefined) last.body += chunk.toString('latin1');
    },
    entryEnd: () => undefined,
  });
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
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    parsed.rule = String(error.details['rule']);
  }
  return parsed;
}
