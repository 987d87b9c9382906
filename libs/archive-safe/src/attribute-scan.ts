import { spawn, type ChildProcess } from 'node:child_process';
import { byteString, escapePath, type ByteString } from './byte-string.ts';
import type { Note } from './note.ts';

/** Of a tree: what extended attributes it has, and how many entries have each. */
interface Found {
  count: number;
  first: ByteString;
}

/**
 * What makes a difference to a workload: ACLs, file capabilities, attributes of users and of nested overlay file systems.
 * Labels of SELinux are not among them: every file has one, and where it matters the host sets it anew.
 */
const wanted = '^(user\\.|trusted\\.|security\\.capability$|system\\.posix_acl_)';
const maxNames = 64;
const maxLineBytes = 1 << 16;

export interface ScannedTree {
  index: number;
  /** Open directory. */
  root: number;
  /** Names directly below the root that are no part of the volume. */
  exclude: readonly ByteString[];
}

/**
 * Lists extended attributes with `getfattr`: Node has no call for them, and an archive holds none, so that a snapshot has to
 * say so (I9). One child for each tree, beside the capture; it walks by itself, physically, from the held directory, and
 * costs a tenth of a second for 60,000 entries. Without the program the note says that nobody looked.
 */
export class AttributeScan {
  #children = new Set<ChildProcess>();
  #notes: Promise<Note[][]>;

  constructor(trees: readonly ScannedTree[], signal?: AbortSignal) {
    this.#notes = Promise.all(trees.map((tree) => this.#scan(tree)));
    signal?.addEventListener('abort', () => void this.close(), { once: true });
    this.#notes.catch(() => undefined);
  }

  /** In the order of the trees; the same for an unchanged tree. */
  async notes(): Promise<Note[]> {
    return (await this.#notes).flat();
  }

  /** Ends what still runs, and waits until it has. */
  async close(): Promise<void> {
    for (const child of this.#children) {
      // One that could not be started has pid 0 inside: `kill` would then end our own process group.
      if (child.pid !== undefined) child.kill('SIGKILL');
    }
    await this.#notes.catch(() => undefined);
  }

  #scan({ index, root, exclude }: ScannedTree): Promise<Note[]> {
    const args = ['-R', '-P', '-h', '--absolute-names', '-m', wanted, '.'];
    // From inside: it gives the kernel every path whole, and one that begins in /proc takes twice the time.
    const child = spawn('getfattr', args, {
      cwd: `/proc/self/fd/${root}`,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { PATH: process.env['PATH'] ?? '', LC_ALL: 'C' },
    });
    this.#children.add(child);
    const listing = new AttributeListing(new Set(exclude));
    let complaint: string | undefined;
    child.stdout?.on('data', (chunk: Buffer) => listing.push(chunk));
    eachLine(child.stderr, (line) => {
      // What vanished meanwhile is noted by the capture itself.
      if (line !== '' && !line.endsWith('No such file or directory')) complaint ??= 'it failed on some entries';
    });
    return new Promise((resolve) => {
      const unchecked = (why: string): void =>
        resolve([...listing.notes(index), { code: 'ATTRIBUTES_NOT_CHECKED', params: { path: `${index}`, why } }]);
      child.on('error', (error: NodeJS.ErrnoException) => {
        this.#children.delete(child);
        unchecked(error.code === 'ENOENT' ? 'the program getfattr is not installed' : 'getfattr could not be started');
      });
      child.on('close', (code, signal) => {
        this.#children.delete(child);
        if (signal !== null || (code ?? 0) > 1) unchecked(`getfattr ended with ${signal ?? code}`);
        else if (complaint !== undefined) unchecked(complaint);
        else resolve(listing.notes(index));
      });
    });
  }
}

/** Reads what `getfattr` prints: `# file: <path>`, a line for each attribute, an empty line. */
export class AttributeListing {
  #exclude: ReadonlySet<ByteString>;
  #found = new Map<string, Found>();
  #rest = '';
  #path: ByteString | undefined;

  constructor(exclude: ReadonlySet<ByteString>) {
    this.#exclude = exclude;
  }

  push(chunk: Buffer): void {
    const lines = (this.#rest + byteString(chunk)).split('\n');
    this.#rest = (lines.pop() as string).slice(0, maxLineBytes);
    for (const line of lines) this.#line(line);
  }

  notes(index: number): Note[] {
    const names = [...this.#found.entries()].sort(([a], [b]) => (a < b ? -1 : 1));
    return names.map(([name, { count, first }]) => ({
      code: 'ATTRIBUTES_NOT_KEPT',
      params: { path: escapePath(first === '' ? `${index}` : `${index}/${first}`), name: escapePath(name, 100), count },
    }));
  }

  #line(line: string): void {
    const file = /^# file: \.\/?(.*)$/s.exec(line);
    if (file !== null) {
      const path = unquoted(file[1] as string);
      this.#path = this.#exclude.has(path.split('/')[0] as string) ? undefined : path;
    } else if (line !== '' && this.#path !== undefined) {
      this.#add(unquoted(line), this.#path);
    }
  }

  #add(name: string, path: ByteString): void {
    const key = this.#found.has(name) || this.#found.size < maxNames ? name : 'others';
    const found = this.#found.get(key);
    if (found === undefined) this.#found.set(key, { count: 1, first: path });
    else {
      found.count++;
      // The order of a directory is not the order of an archive: the smallest path is the same in every run.
      if (path < found.first) found.first = path;
    }
  }
}

/** getfattr writes line ends and backslashes in names as three octal digits. */
function unquoted(text: string): ByteString {
  return text.replace(/\\([0-7]{3})/g, (_all, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}

function eachLine(stream: NodeJS.ReadableStream | null, take: (line: string) => void): void {
  let rest = '';
  stream?.on('data', (chunk: Buffer) => {
    const lines = (rest + chunk.toString('latin1')).split('\n');
    rest = (lines.pop() as string).slice(0, maxLineBytes);
    for (const line of lines) take(line);
  });
}
