// Preloaded (`--import`) before the library: makes the n-th file call of a run fail. Node's named imports of its own modules
// are live and follow `syncBuiltinESMExports`; Jest's copies of them do not, which is why faults run in a process of their own.
import fs from 'node:fs';
import promises from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';

const state = { left: Infinity, errno: '', calls: 0, fired: '' };
globalThis.faultyFs = {
  /** @param {number} nth 1 is the next call; Infinity: none fails @param {string} errno */
  arm(nth, errno) {
    Object.assign(state, { left: nth, errno, calls: 0, fired: '' });
  },
  /** @returns {{ calls: number, fired: string }} calls since `arm`, and the one that failed */
  disarm() {
    state.left = Infinity;
    return { calls: state.calls, fired: state.fired };
  },
};

/** @param {string} name @returns {Error | undefined} */
function fault(name) {
  state.calls++;
  if (--state.left !== 0) return undefined;
  state.fired = name;
  return Object.assign(new Error(`${state.errno}: injected, ${name}`), {
    code: state.errno,
    syscall: name.replace(/Sync$/, ''),
  });
}

const syncNames = [
  'openSync',
  'readSync',
  'writeSync',
  'mkdirSync',
  'fstatSync',
  'lstatSync',
  'statfsSync',
  'readdirSync',
  'readlinkSync',
  'readFileSync',
  'symlinkSync',
  'linkSync',
  'unlinkSync',
  'rmdirSync',
  'renameSync',
  'fchmodSync',
  'fchownSync',
  'futimesSync',
  'lchownSync',
  'lutimesSync',
  'ftruncateSync',
  'chmodSync',
  'utimesSync',
];
for (const name of syncNames) {
  const real = fs[name];
  fs[name] = function (...args) {
    const error = fault(name);
    if (error !== undefined) throw error;
    return real.apply(this, args);
  };
}

const realClose = fs.closeSync;
// A descriptor is gone whatever close says.
fs.closeSync = function (fd) {
  realClose(fd);
  const error = fault('closeSync');
  if (error !== undefined) throw error;
};

for (const name of ['open', 'unlink', 'rename', 'mkdir', 'link', 'readFile']) {
  const real = promises[name];
  promises[name] = async function (...args) {
    const error = fault(name);
    if (error !== undefined) throw error;
    return real.apply(this, args);
  };
}

const probe = await promises.open('/dev/null');
const handle = Object.getPrototypeOf(probe);
await probe.close();
for (const name of ['write', 'sync', 'stat']) {
  const real = handle[name];
  handle[name] = async function (...args) {
    const error = fault(`FileHandle.${name}`);
    if (error !== undefined) throw error;
    return real.apply(this, args);
  };
}

syncBuiltinESMExports();
