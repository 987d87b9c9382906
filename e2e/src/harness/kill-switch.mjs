// Loaded into the server with --import: ends the process by SIGKILL at the n-th file-system call that matches, as a crash would.
// KILL_AT = {"call": ["rename"], "path": "regex", "nth": 1, "when": "before" | "after"} or {"journal": "COMMIT"} (after its sync)
// or {"bytes": 1000000, "path": "regex"} (after so many bytes were written below matching paths by one thread).
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import process from 'node:process';

const armed = process.env.KILL_AT ? JSON.parse(process.env.KILL_AT) : null;

if (armed !== null) {
  const pattern = new RegExp(armed.path ?? '/journal/');
  const calls = new Set(armed.call ?? []);
  const paths = new Map();
  let seen = 0;
  let bytes = 0;
  const die = () => {
    fs.writeSync(2, `kill switch: ${process.env.KILL_AT}\n`);
    process.kill(process.pid, 'SIGKILL');
    for (;;);
  };
  const pathOf = (target) => {
    if (typeof target === 'number') {
      if (!paths.has(target)) {
        try {
          return fs.readlinkSync(`/proc/self/fd/${target}`);
        } catch {
          return '';
        }
      }
      return paths.get(target);
    }
    const text = String(target);
    const viaHandle = /^\/proc\/(?:self|\d+)\/fd\/(\d+)(\/.*)?$/.exec(text);
    return viaHandle ? pathOf(Number(viaHandle[1])) + (viaHandle[2] ?? '') : text;
  };
  const holds = (data, word) => {
    const parts = Array.isArray(data) ? data : [data];
    return parts.some((part) =>
      (typeof part === 'string'
        ? part
        : Buffer.from(part.buffer ?? part, part.byteOffset ?? 0, part.byteLength ?? part.length).toString('latin1')
      ).includes(word),
    );
  };
  const matches = (name, target) => calls.has(name) && pattern.test(pathOf(target)) && ++seen === (armed.nth ?? 1);
  let recordWritten = false;
  /** @returns whether to end the process after the call */
  const judge = (name, target, data) => {
    if (armed.journal !== undefined) {
      if (
        /^(write|writev|appendFile|writeFile)$/.test(name) &&
        /\/journal\//.test(pathOf(target)) &&
        holds(data, `"${armed.journal}"`)
      )
        recordWritten = true;
      return recordWritten && /^(fsync|fdatasync)$/.test(name) && /\/journal\//.test(pathOf(target));
    }
    if (armed.bytes !== undefined) {
      if (!/^writev?$/.test(name) || !pattern.test(pathOf(target))) return false;
      bytes += (Array.isArray(data) ? data : [data]).reduce((sum, part) => sum + (part.byteLength ?? part.length), 0);
      return bytes >= armed.bytes;
    }
    if (!matches(name, target)) return false;
    if (armed.when === 'before') die();
    return true;
  };

  const names = [
    'rename',
    'unlink',
    'rmdir',
    'rm',
    'mkdir',
    'open',
    'write',
    'writev',
    'fsync',
    'fdatasync',
    'link',
    'symlink',
    'chmod',
    'fchmod',
    'appendFile',
    'writeFile',
    'copyFile',
  ];
  for (const name of names) {
    const sync = fs[`${name}Sync`];
    fs[`${name}Sync`] = function (...args) {
      const last = judge(name, args[0], args[1]);
      const result = sync.apply(this, args);
      if (last) die();
      return result;
    };
    const callback = fs[name];
    fs[name] = function (...args) {
      const last = judge(name, args[0], args[1]);
      const done = args.at(-1);
      if (last && typeof done === 'function') args[args.length - 1] = die;
      return callback.apply(this, args);
    };
    const promised = fs.promises[name];
    if (promised === undefined) continue;
    fs.promises[name] = async function (...args) {
      const last = judge(
        name,
        typeof args[0] === 'object' && args[0] !== null && 'fd' in args[0] ? args[0].fd : args[0],
        args[1],
      );
      const result = await promised.apply(this, args);
      if (last) die();
      return result;
    };
  }
  const handle = await fs.promises.open('/dev/null', 'r');
  const prototype = Object.getPrototypeOf(handle);
  await handle.close();
  for (const [method, name] of [
    ['write', 'write'],
    ['writev', 'writev'],
    ['sync', 'fsync'],
    ['datasync', 'fdatasync'],
    ['chmod', 'fchmod'],
    ['appendFile', 'appendFile'],
    ['writeFile', 'writeFile'],
  ]) {
    const original = prototype[method];
    prototype[method] = async function (...args) {
      const last = judge(name, this.fd, args[0]);
      const result = await original.apply(this, args);
      if (last) die();
      return result;
    };
  }
  syncBuiltinESMExports();
}
