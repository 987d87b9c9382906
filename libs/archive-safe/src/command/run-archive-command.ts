import { chmod, chown, mkdir, readdir, realpath, stat, utimes } from 'node:fs/promises';
import path from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import { parseSettings } from '@tiny-forge/contracts/domain';
import { browseArchive } from '../browse-archive.ts';
import { escapeName } from '../byte-string.ts';
import { createArchive } from '../create-archive.ts';
import { extractArchive } from '../extract-archive.ts';
import { checkTar, extractTar, listTar } from '../extract-tar.ts';
import { loadOrCreateKey } from '../installation-key.ts';
import type { Note } from '../note.ts';
import { isOwnArchive } from '../open-archive.ts';
import { readTarEntries, type ArchiveEntry } from '../read-index.ts';
import { damaged, Refusal } from '../refusal.ts';
import { LimitedSignal } from '../time-limits.ts';
import { removeTree } from '../trees.ts';
import { verifyArchive, verifyForeign } from '../verify-archive.ts';
import { bytesOfText, entryJson, entryLine } from './list-entry.ts';
import { outcomeOf } from './outcome.ts';
import { parseCommand, usage, UsageError, type ArchiveCommand, type Reading } from './parse-command.ts';

type Running<N extends ArchiveCommand['name']> = Extract<ArchiveCommand, { name: N }> & { signal: AbortSignal };

/** Runs one command line; files are named as seen from `ARCHIVE_COMMAND_CWD`. Returns the exit code; see `usage`. */
export async function runArchiveCommand(args: readonly string[]): Promise<number> {
  const interrupt = new AbortController();
  const onSignal = (): void => interrupt.abort();
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal).on('SIGHUP', onSignal);
  let limited: LimitedSignal | undefined;
  try {
    const command = located(parseCommand(args));
    if (command.name === 'help') {
      process.stdout.write(usage);
      return 0;
    }
    limited = new LimitedSignal(interrupt.signal, command.limitMs === undefined ? {} : { totalMs: command.limitMs });
    await run({ ...command, signal: limited.signal });
    return 0;
  } catch (error) {
    const { exitCode, lines } = outcomeOf(error);
    process.stderr.write(lines.map((line) => `${line}\n`).join(''));
    return exitCode;
  } finally {
    limited?.stop();
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal).off('SIGHUP', onSignal);
  }
}

function located(command: ArchiveCommand): ArchiveCommand {
  if (command.name === 'help') return command;
  const cwd = process.env['ARCHIVE_COMMAND_CWD'] ?? process.cwd();
  const from = (name: string): string => path.resolve(cwd, name);
  const key = command.key === undefined ? undefined : from(command.key);
  const file = from(command.file);
  if (command.name === 'pack') return { ...command, key, file, dirs: command.dirs.map(from) };
  return command.name === 'extract' ? { ...command, key, file, dir: from(command.dir) } : { ...command, key, file };
}

async function run(command: Exclude<ArchiveCommand, { name: 'help' }> & { signal: AbortSignal }): Promise<void> {
  switch (command.name) {
    case 'pack':
      return pack(command);
    case 'list':
      return list(command);
    case 'verify':
      return verify(command);
    case 'extract':
      return extract(command);
    case 'cat':
      return cat(command);
  }
}

/** @throws UsageError for settings that are wrong */
async function keyOf(command: { key: string | undefined }): Promise<Buffer> {
  if (command.key !== undefined) return loadOrCreateKey(command.key);
  const checkout = fileURLToPath(new URL('../../../..', import.meta.url));
  let folder: string;
  try {
    folder = path.join(parseSettings(process.env, path.join(checkout, '.tiny-forge')).dataDir, 'keys');
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
  await mkdir(folder, { recursive: true, mode: 0o700 });
  return loadOrCreateKey(path.join(folder, 'archive'));
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

function warn(notes: readonly Note[]): void {
  for (const { code, params } of notes) {
    const { path: where = '', ...rest } = params;
    const more = Object.entries(rest).map(([name, value]) => ` ${name}=${value}`);
    process.stderr.write(`${code} ${where}${more.join('')}\n`);
  }
}

async function pack(command: Running<'pack'>): Promise<void> {
  const { dirs, file, codec, links, signal } = command;
  const roots: string[] = [];
  for (const dir of dirs) roots.push(await realpath(dir));
  const folder = await realpath(path.dirname(file));
  const around = roots.find((root) => folder === root || folder.startsWith(`${root}/`) || root === '/');
  if (around !== undefined) throw new UsageError('the archive would lie inside of what it packs');
  const volumes = roots.map((source, index) => ({
    index,
    target: `/${path.basename(source)}`,
    scope: 'absolute',
    source,
    links,
  }));
  const created = await createArchive({
    file,
    codec,
    key: await keyOf(command),
    signal,
    manifest: { formatVersion: 1, quiesce: 'none', volumes },
    volumes: roots.map((root, index) => ({ index, root, links })),
  });
  warn(created.notes);
  const { entries, contentBytes, bytes, sha256 } = created;
  if (command.json) print(JSON.stringify(created));
  else print(`packed ${entries} entries, ${contentBytes} bytes, into ${bytes} bytes, SHA-256 ${sha256}`);
}

/** What an `--import` meets: an archive of ours, made with any key, or a tar of somebody else. */
async function isForeign({ file, import: taken }: Reading): Promise<boolean> {
  return taken !== undefined && (await isOwnArchive(file));
}

async function list(command: Running<'list'>): Promise<void> {
  const { file, signal, import: taken } = command;
  const show = command.json ? entryJson : entryLine;
  const each = async (entries: readonly ArchiveEntry[]): Promise<void> => {
    const text = entries.map((entry) => `${show(entry)}\n`).join('');
    if (!process.stdout.write(text)) await new Promise((resolve) => process.stdout.once('drain', resolve));
  };
  if (taken !== undefined && !(await isForeign(command))) {
    // Twice, so that an archive that is refused is not listed in part.
    await checkTar({ file, signal, links: taken.links });
    return listTar({ file, signal, links: taken.links }, each);
  }
  // An index that nobody signed may say what the tar stream does not: first they are compared.
  if (taken !== undefined) await verifyForeign(file, { signal, links: taken.links });
  const key = taken === undefined ? await keyOf(command) : null;
  let batch: ArchiveEntry[] = [];
  for await (const entry of readTarEntries(file, key, signal)) {
    batch.push(entry);
    if (batch.length < 1000) continue;
    await each(batch);
    batch = [];
  }
  await each(batch);
}

async function verify(command: Running<'verify'>): Promise<void> {
  const { file, signal, import: taken } = command;
  if (taken === undefined) {
    const verified = await verifyArchive(file, { key: await keyOf(command), depth: 'content', signal });
    return report(command, 'good, made with this key', { authenticated: true, ...verified });
  }
  const verified = (await isForeign(command))
    ? await verifyForeign(file, { links: taken.links, signal })
    : await checkTar({ file, links: taken.links, signal });
  report(command, 'well-formed; who made it is unknown', { authenticated: false, ...verified });
}

interface Report {
  entries: number;
  contentBytes: number;
  notes: Note[];
  /** More for `--json`. */
  [more: string]: unknown;
}

function report(command: { json: boolean }, verdict: string, found: Report): void {
  warn(found.notes);
  if (command.json) print(JSON.stringify(found));
  else print(`${verdict}: ${found.entries} entries, ${found.contentBytes} bytes`);
}

async function extract(command: Running<'extract'>): Promise<void> {
  const { file, dir, signal, import: taken, maxBytes, maxEntries } = command;
  const common = {
    file,
    dir,
    signal,
    owner: process.getuid?.() === 0 ? ('archive' as const) : ('caller' as const),
    ...(maxBytes !== undefined && { maxBytes }),
    ...(maxEntries !== undefined && { maxEntries }),
  };
  const key = taken === undefined ? await keyOf(command) : null;
  await stat(file);
  await intoEmptyDirectory(dir, async () => {
    if (taken !== undefined && !(await isForeign(command))) {
      const { totals, notes } = await extractTar({ ...common, links: taken.links });
      return report(command, 'extracted', { ...totals, notes });
    }
    const trust = key === null ? { key, links: taken?.links ?? 0 } : { key };
    const volumes = await extractArchive({ ...common, trust });
    const sum = (field: 'entries' | 'contentBytes'): number => volumes.reduce((all, volume) => all + volume[field], 0);
    const notes = volumes.flatMap(({ fidelity }) => [...fidelity.notKept, ...fidelity.notCaptured]);
    report(command, 'extracted', {
      entries: sum('entries'),
      contentBytes: sum('contentBytes'),
      volumes,
      notes,
    });
  });
}

/** Nothing is left in `dir` unless `work` succeeds, nor `dir` itself where it was not there. */
async function intoEmptyDirectory(dir: string, work: () => Promise<void>): Promise<void> {
  const made = await mkdir(dir, { mode: 0o700 }).then(
    () => true,
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'EEXIST') return false;
      throw error;
    },
  );
  if ((await readdir(dir)).length > 0)
    throw new Refusal('IO_ERROR', `${escapeName(dir)} is not empty`, { rule: 'TARGET' });
  const before = await stat(dir);
  try {
    await work();
  } catch (error) {
    if (made) await removeTree(dir);
    else {
      for (const name of await readdir(dir)) await removeTree(path.join(dir, name));
      await chown(dir, before.uid, before.gid).catch(() => undefined);
      await chmod(dir, before.mode & 0o7777);
      await utimes(dir, before.atime, before.mtime);
    }
    throw error;
  }
}

async function cat(command: Running<'cat'>): Promise<void> {
  const { file, path: name, signal } = command;
  const wanted = bytesOfText(name).toString('latin1');
  const key = await keyOf(command);
  await using archive = await browseArchive(file, { key });
  const border = wanted.indexOf('/');
  const volume = /^(?:0|[1-9][0-9]{0,4})\//.test(wanted) ? Number(wanted.slice(0, border)) : -1;
  const inside = Buffer.from(wanted.slice(border + 1), 'latin1');
  const found = volume < 0 ? null : await archive.content({ volume, path: inside }, { signal });
  if (found === null && wanted === 'manifest.json') return print(JSON.stringify(archive.index.manifest, null, 2));
  if (found === null) throw damaged('ENTRY', 'The archive holds no file of that name', { entry: escapeName(name) });
  await pipeline(Readable.from(found.bytes, { objectMode: false }), process.stdout, { end: false });
}
