import { parseArgs } from 'node:util';
import type { Codec } from '../codec.ts';
import type { LinkTier } from '../link-policy.ts';

export const usage = `Usage: npm run archive --silent -- <command>
  pack <dir>... -o <file>     each <dir> becomes volume 0, 1, ...
      --codec zstd|gzip       default zstd
      --links 0|1|2           what becomes of links: 0 refused, 1 kept where they stay inside, 2 (default) kept as they are
  list <file>                 what is in it; --json: one object per entry and line
  verify <file>               reads all of it, writes nothing
  extract <file> <dir>        into an empty or new directory
  cat <file> <path>           one file, as list names it, to standard output
Of an archive that was not made with the key:
      --import                take it nevertheless, as nobody's: plain, gzip and zstd tars too (not with cat)
      --links 0|1             with --import: 0 refuses links (default of extract), 1 takes those that stay inside
      --max-bytes N           content bytes that extract may write; and --max-entries N
      --max-seconds N         how long it may take
Always:
      --key FILE              32 bytes, made if missing; default: keys/archive in the data folder (TINY_FORGE_DATA)
      --json                  what came of it as JSON on standard output
Ends with 0: good; 64: wrong usage; 65: refused, the last line of standard error is {code, rule, entry, offset, message};
74: input or output failed. Only 0 leaves anything in <dir>.
`;

interface Common {
  key: string | undefined;
  json: boolean;
  limitMs: number | undefined;
}

export interface Reading extends Common {
  file: string;
  /** Undefined: only archives of the key. */
  import: { links: 0 | 1 } | undefined;
}

export type ArchiveCommand =
  | (Common & { name: 'pack'; dirs: string[]; file: string; codec: Codec; links: LinkTier })
  | (Reading & { name: 'list' })
  | (Reading & { name: 'verify' })
  | (Reading & { name: 'extract'; dir: string; maxBytes: number | undefined; maxEntries: number | undefined })
  | (Reading & { name: 'cat'; path: string })
  | { name: 'help' };

/** Wrong usage; the message is for the reader. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

const options = {
  output: { type: 'string', short: 'o' },
  codec: { type: 'string' },
  links: { type: 'string' },
  key: { type: 'string' },
  import: { type: 'boolean' },
  json: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
  'max-bytes': { type: 'string' },
  'max-entries': { type: 'string' },
  'max-seconds': { type: 'string' },
} as const;

type Values = ReturnType<typeof parse>['values'];
type OptionName = keyof typeof options;

const always: readonly OptionName[] = ['key', 'json', 'help', 'max-seconds'];
const allowed: Record<string, readonly OptionName[]> = {
  pack: ['output', 'codec', 'links'],
  list: ['import', 'links'],
  verify: ['import', 'links'],
  extract: ['import', 'links', 'max-bytes', 'max-entries'],
  cat: [],
};

function parse(args: readonly string[]) {
  return parseArgs({ args: [...args], options, allowPositionals: true, strict: true });
}

/** @throws UsageError */
export function parseCommand(args: readonly string[]): ArchiveCommand {
  const { values, positionals } = parsed(args);
  const [name, ...rest] = positionals;
  if (values.help === true || name === 'help') return { name: 'help' };
  const known = name === undefined ? undefined : allowed[name];
  if (name === undefined || known === undefined)
    throw new UsageError(name === undefined ? 'a command is missing' : `there is no command ${name}`);
  for (const option of Object.keys(values) as OptionName[]) {
    if (!known.includes(option) && !always.includes(option)) throw new UsageError(`${name} takes no --${option}`);
  }
  const seconds = number(values, 'max-seconds');
  const common = {
    key: values.key,
    json: values.json === true,
    limitMs: seconds === undefined ? undefined : seconds * 1000,
  };
  if (name === 'pack') return packing(values, rest, common);
  return reading(name as 'list' | 'verify' | 'extract' | 'cat', values, rest, common);
}

function parsed(args: readonly string[]): ReturnType<typeof parse> {
  try {
    return parse(args);
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

function packing(values: Values, dirs: string[], common: Common): ArchiveCommand {
  const { output, codec = 'zstd', links = '2' } = values;
  if (dirs.length === 0) throw new UsageError('pack needs at least one directory');
  if (dirs.length > 64) throw new UsageError('pack takes at most 64 directories');
  if (output === undefined) throw new UsageError('pack needs -o <file>');
  if (codec !== 'zstd' && codec !== 'gzip') throw new UsageError('--codec is zstd or gzip');
  if (!/^[012]$/.test(links)) throw new UsageError('--links is 0, 1 or 2');
  return { ...common, name: 'pack', dirs, file: output, codec, links: Number(links) as LinkTier };
}

function reading(
  name: 'list' | 'verify' | 'extract' | 'cat',
  values: Values,
  rest: string[],
  common: Common,
): ArchiveCommand {
  const [file, second, ...more] = rest;
  const wantsTwo = name === 'extract' || name === 'cat';
  if (file === undefined || (second !== undefined) !== wantsTwo || more.length > 0) {
    throw new UsageError(
      `${name} takes ${name === 'extract' ? '<file> <dir>' : wantsTwo ? '<file> <path>' : '<file>'}`,
    );
  }
  if (values.links !== undefined && values.import !== true) throw new UsageError('--links of a reading needs --import');
  // Looking at links that stay inside harms nobody; making them is asked for.
  const links = values.links ?? (name === 'extract' ? '0' : '1');
  if (!/^[01]$/.test(links)) throw new UsageError('--links with --import is 0 or 1');
  const base = { ...common, file, import: values.import === true ? { links: Number(links) as 0 | 1 } : undefined };
  if (name === 'cat') return { ...base, name, path: second as string };
  if (name !== 'extract') return { ...base, name };
  return {
    ...base,
    name,
    dir: second as string,
    maxBytes: number(values, 'max-bytes'),
    maxEntries: number(values, 'max-entries'),
  };
}

function number(values: Values, name: 'max-bytes' | 'max-entries' | 'max-seconds'): number | undefined {
  const text = values[name];
  if (text === undefined) return undefined;
  const value = Number(text);
  if (!/^[0-9]{1,16}$/.test(text) || !Number.isSafeInteger(value)) throw new UsageError(`--${name} is a whole number`);
  return value;
}
