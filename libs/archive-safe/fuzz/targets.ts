import { closeSync, openSync, writeFileSync } from 'node:fs';
import { decodeTable, decodeTrailer, encodeTable } from '../src/archive-table.ts';
import { unwrapHidden } from '../src/codec.ts';
import { encodeIndexBlock } from '../src/index-block.ts';
import { decodeIndexBlock } from '../src/index-block.ts';
import { importedStream } from '../src/imported-stream.ts';
import { Refusal } from '../src/refusal.ts';
import { SourceBytes } from '../src/source-bytes.ts';
import { encodeHeader, paddingOf } from '../src/tar-header.ts';
import { parse, type Parsed } from '../src/testing/parse.ts';

/** Throws where a promise of the library is broken; returns what became of the input, for the statistics. */
export type Target = (input: Buffer, scratch: string) => Promise<string> | string;

function sameHowEverCut(input: Buffer, whole: Parsed, dialect: 'own' | 'import'): void {
  const cuts = [1 + (input.length % 700), 1 + (input[0] ?? 7), 513];
  const parts = parse(input, cuts, { dialect });
  if (JSON.stringify(parts) !== JSON.stringify(whole)) throw new Error(`another result in chunks of ${cuts.join()}`);
}

function written(parsed: Parsed): Buffer {
  const parts = parsed.entries.flatMap(({ body, ...entry }) => [
    encodeHeader(entry),
    Buffer.from(body, 'latin1'),
    Buffer.alloc(paddingOf(entry.size)),
  ]);
  return Buffer.concat([...parts, Buffer.alloc(1024)]);
}

/** What is accepted is exactly what our writer makes of it. */
function own(input: Buffer): string {
  const whole = parse(input);
  sameHowEverCut(input, whole, 'own');
  if (whole.rule !== undefined) return whole.rule;
  if (!written(whole).equals(input)) throw new Error('accepted, and not as our writer writes it');
  return 'accepted';
}

/** What is accepted, written by us, is accepted as our own and says the same. */
function foreign(input: Buffer): string {
  const whole = parse(input, input.length || 1, { dialect: 'import' });
  sameHowEverCut(input, whole, 'import');
  if (whole.rule !== undefined) return whole.rule;
  const entries = whole.entries.filter(({ path }) => path !== '');
  const again = parse(written({ entries }));
  if (again.rule !== undefined || JSON.stringify(again.entries) !== JSON.stringify(entries)) {
    throw new Error(`accepted, and not what it is when written anew: ${again.rule}`);
  }
  return 'accepted';
}

/** Frames and members end in a refusal or at the end of the file, and never give more than their input can hold. */
async function stream(input: Buffer, scratch: string): Promise<string> {
  writeFileSync(scratch, input);
  const fd = openSync(scratch, 'r');
  try {
    let bytes = 0;
    for await (const chunk of importedStream(new SourceBytes(fd, input.length))) {
      bytes += chunk.length;
      // One RLE block of four bytes is 128 KiB: more than that is not possible.
      if (bytes > (input.length + 1) * 33_000) throw new Error('more than it can hold');
    }
    return 'accepted';
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return String(error.details['rule']);
  } finally {
    closeSync(fd);
  }
}

/** Table, trailer and index blocks: what is accepted is what we would encode. */
function index(input: Buffer): string {
  const outcomes: string[] = [];
  const attempt = (name: string, run: () => void): void => {
    try {
      run();
      outcomes.push(`${name} accepted`);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      outcomes.push(`${name} ${String(error.details['rule'])}`);
    }
  };
  attempt('table', () => void encodeTable(decodeTable(input)));
  for (const codec of ['zstd', 'gzip'] as const) {
    attempt('trailer', () => void decodeTrailer(input, codec, null));
    attempt('container', () => void unwrapHidden(input, codec));
    attempt('block', () => void encodeIndexBlock(decodeIndexBlock(input, codec), codec));
  }
  return outcomes.join();
}

export const targets: Record<string, Target> = { own, foreign, stream, index };
