import fs from 'node:fs';
import path from 'node:path';
import { lastLines, type Machine } from './commands.ts';
import { exclusively } from './exclusive.ts';
import { ProvisionError } from './provision-error.ts';
import { cacheDir } from './temporal-binary.ts';
import type { Terminal } from './terminal.ts';

const ELF_INTERPRETER = 3;

/** Whether a program runs in an empty image: a 64-bit ELF file that asks for no dynamic loader. */
export function isStatic(file: string): boolean {
  let head: Buffer;
  try {
    const handle = fs.openSync(file, 'r');
    try {
      head = Buffer.alloc(4096);
      head = head.subarray(0, fs.readSync(handle, head, 0, head.length, 0));
    } finally {
      fs.closeSync(handle);
    }
  } catch {
    return false;
  }
  if (head.length < 64 || head.readUInt32BE(0) !== 0x7f454c46 || head[4] !== 2 || head[5] !== 1) return false;
  const [tableAt, entrySize, entries] = [
    Number(head.readBigUInt64LE(32)),
    head.readUInt16LE(54),
    head.readUInt16LE(56),
  ];
  for (let entry = 0; entry < entries; entry++) {
    const at = tableAt + entry * entrySize;
    if (at + 4 > head.length) return false;
    if (head.readUInt32LE(at) === ELF_INTERPRETER) return false;
  }
  return true;
}

export function cachedBusybox(env: NodeJS.ProcessEnv): string {
  return path.join(cacheDir(env), 'busybox', 'busybox');
}

/**
 * Finds a static busybox, of which the probe image and the demo are made: BUSYBOX_PATH, PATH, our cache, then the
 * distribution's package, unpacked into our cache (nothing is installed, so no account needs to be root for it).
 * @throws ProvisionError BUSYBOX_MISSING
 */
export async function ensureBusybox(
  machine: Machine,
  terminal: Terminal,
  isGood: (file: string) => boolean = isStatic,
): Promise<string> {
  const cached = cachedBusybox(machine.env);
  const found = [machine.env['BUSYBOX_PATH'] ?? '', machine.which('busybox') ?? '', cached].find(
    (file) => file !== '' && isGood(file),
  );
  if (found !== undefined) return found;
  if (!machine.hasApt) throw missing('no static one is on PATH or in our cache, and this distribution has no apt-get');
  return exclusively(`${path.dirname(cached)}.lock`, async () => {
    if (isGood(cached)) return cached;
    terminal.say(
      'busybox',
      `unpacking busybox-static into ${path.dirname(cached)}: the small images of ours are made of it`,
    );
    fs.mkdirSync(path.dirname(cached), { recursive: true });
    const room = fs.mkdtempSync(path.join(path.dirname(cached), 'unpack-'));
    try {
      const fetch = () =>
        machine.run('apt-get', ['download', '-o', 'APT::Sandbox::User=', 'busybox-static'], { cwd: room });
      let result = await fetch();
      if (result.code !== 0 && machine.isRoot) {
        await machine.run('apt-get', ['update', '-o', 'DPkg::Lock::Timeout=300']);
        result = await fetch();
      }
      const [archive] = fs.readdirSync(room).filter((name) => name.endsWith('.deb'));
      if (result.code !== 0 || archive === undefined)
        throw missing('apt-get could not download it', lastLines(result.stderr, 5));
      await machine.run('dpkg-deb', ['-x', path.join(room, archive), path.join(room, 'tree')]);
      const made = ['bin', 'usr/bin'].map((folder) => path.join(room, 'tree', folder, 'busybox')).find(isGood);
      if (made === undefined) throw missing('the package holds none for this machine');
      fs.renameSync(made, cached);
      return cached;
    } finally {
      fs.rmSync(room, { recursive: true, force: true });
    }
  });
}

function missing(why: string, log: readonly string[] = []): ProvisionError {
  return new ProvisionError({
    code: 'BUSYBOX_MISSING',
    what: 'a static busybox is missing',
    why,
    getIt: [
      'apt-get update && apt-get install -y busybox-static',
      'BUSYBOX_PATH=/path/of/a/static/busybox, if you have one',
    ],
    log,
  });
}
