// Runs before anything is installed: plain JavaScript, Node 20.19 or newer, Node's own modules only.
import { spawn } from 'node:child_process';
import crypto from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

export const checkout = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');

const OLDEST_NODE = [20, 19];
const WANTED_NODE = [24, 21];
const HEARTBEAT_MS = 20_000;

/**
 * An expected failure: printed as what is missing, why, and the command that gets it, without a stack trace.
 * @typedef {{ missing: string, why: string, command?: string }} Missing
 */
export class BootstrapError extends Error {
  /** @param {Missing} missing */
  constructor(missing) {
    super(missing.missing);
    this.missing = missing;
  }
}

/** @param {string} version as `process.version` @param {readonly number[]} wanted */
export function isAtLeast(version, wanted) {
  const [major = 0, minor = 0] = version.replace(/^v/, '').split('.').map(Number);
  const [wantedMajor = 0, wantedMinor = 0] = wanted;
  return major > wantedMajor || (major === wantedMajor && minor >= wantedMinor);
}

/** @param {string} root */
function manifests(root) {
  const found = [path.join(root, 'package.json')];
  const { workspaces = [] } = JSON.parse(fs.readFileSync(path.join(root, 'package.json'), 'utf8'));
  for (const pattern of workspaces) {
    const folder = path.join(root, pattern.replace(/\/\*$/, ''));
    const members = pattern.endsWith('/*') ? (fs.existsSync(folder) ? fs.readdirSync(folder).sort() : []) : [''];
    for (const member of members) {
      const file = path.join(folder, member, 'package.json');
      if (fs.existsSync(file)) found.push(file);
    }
  }
  return found;
}

/**
 * Changes whenever what `npm install` would do changes.
 * @param {string} root
 */
export function installFingerprint(root) {
  const hash = crypto.createHash('sha256').update(`${process.platform} ${process.arch}\n`);
  hash.update(fs.readFileSync(path.join(root, 'package-lock.json')));
  for (const file of manifests(root)) {
    const {
      name,
      version,
      bin,
      workspaces,
      dependencies,
      devDependencies,
      optionalDependencies,
      peerDependencies,
      overrides,
    } = JSON.parse(fs.readFileSync(file, 'utf8'));
    const installed = [
      name,
      version,
      bin,
      workspaces,
      dependencies,
      devDependencies,
      optionalDependencies,
      peerDependencies,
      overrides,
    ];
    hash.update(`${path.relative(root, file)} ${JSON.stringify(installed)}\n`);
  }
  return hash.digest('hex');
}

/** @param {string} root */
export function stampFile(root) {
  return path.join(root, 'node_modules', '.cache', 'tiny-forge', 'install');
}

/** @param {string} root */
export function isInstalled(root) {
  try {
    return (
      fs.readFileSync(stampFile(root), 'utf8') === installFingerprint(root) &&
      fs.existsSync(path.join(root, 'node_modules', '.bin')) &&
      findNode(root) !== null
    );
  } catch {
    return false;
  }
}

/**
 * The Node that everything after the install runs on: the one of the lockfile, else the one running now where it is new enough.
 * @param {string} root
 */
export function findNode(root) {
  const own = path.join(root, 'node_modules', '.bin', 'node');
  if (fs.existsSync(own)) return fs.realpathSync(own);
  return isAtLeast(process.version, WANTED_NODE) ? process.execPath : null;
}

/**
 * Names what of the installed tree is not what the lockfile said. Entries that npm only adds for other platforms, and fields
 * that another npm version writes or drops, change nothing that runs here and are no difference.
 * @param {string} before @param {string} after texts of package-lock.json
 * @param {(place: string) => boolean} isOnDisk whether `node_modules/...` exists
 * @returns {string[]}
 */
export function lockfileDifferences(before, after, isOnDisk) {
  const was = JSON.parse(before).packages ?? {};
  const is = JSON.parse(after).packages ?? {};
  const differences = [];
  for (const place of new Set([...Object.keys(was), ...Object.keys(is)])) {
    if (!place.includes('node_modules/') || was[place]?.link || is[place]?.link) continue;
    const name = place.slice(place.lastIndexOf('node_modules/') + 'node_modules/'.length);
    if (!was[place]) {
      if (isOnDisk(place)) differences.push(`${name} ${is[place].version} was added`);
    } else if (!is[place]) {
      if (!was[place].optional) differences.push(`${name} ${was[place].version} was removed`);
    } else if (was[place].version !== is[place].version) {
      differences.push(`${name} ${was[place].version} became ${is[place].version}`);
    } else if (was[place].integrity && is[place].integrity && was[place].integrity !== is[place].integrity) {
      differences.push(`${name} ${was[place].version} has other content`);
    }
  }
  return differences;
}

/** @param {number} ms */
export function duration(ms) {
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`;
  return `${Math.floor(ms / 60_000)} min ${Math.round((ms % 60_000) / 1000)} s`;
}

/** @param {string} part @param {string} text */
export function say(part, text) {
  process.stdout.write(`  ${part.padEnd(10)} ${text}\n`);
}

/** @param {string} root @param {string[]} args @returns {Promise<{code: number, output: string}>} */
function runNpm(root, args) {
  // npm starts scripts with its own path in the environment: the same npm is used again, wherever PATH points by now.
  const cli = process.env.npm_execpath;
  const [command, first] = cli?.endsWith('.js') ? [process.execPath, [cli]] : ['npm', []];
  return new Promise((resolve, reject) => {
    const child = spawn(command, [...first, ...args], { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    const collect = (/** @type {Buffer} */ chunk) => (output = (output + chunk.toString()).slice(-20_000));
    child.stdout.on('data', collect);
    child.stderr.on('data', collect);
    child.on('error', () =>
      reject(new BootstrapError({ missing: 'npm', why: 'it is not on PATH', command: 'apt-get install npm' })),
    );
    child.on('close', (code) => resolve({ code: code ?? 1, output }));
  });
}

/** @param {number} pid */
function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return /** @type {NodeJS.ErrnoException} */ (error).code === 'EPERM';
  }
}

/**
 * Two installs in one checkout destroy each other's files.
 * @template T @param {string} root @param {() => Promise<T>} work @param {typeof say} tell @returns {Promise<T>}
 */
async function withInstallLock(root, work, tell) {
  const lock = path.join(root, '.nx', 'install.lock');
  fs.mkdirSync(path.dirname(lock), { recursive: true });
  for (let told = false; ; told = true) {
    try {
      fs.writeFileSync(lock, String(process.pid), { flag: 'wx' });
      break;
    } catch (error) {
      if (/** @type {NodeJS.ErrnoException} */ (error).code !== 'EEXIST') throw error;
    }
    const holder = Number(fs.existsSync(lock) ? fs.readFileSync(lock, 'utf8') : '');
    if (holder > 0 && !isAlive(holder)) {
      fs.rmSync(lock, { force: true });
      continue;
    }
    if (!told) tell('packages', `waiting for the install of process ${holder}`);
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
  try {
    return await work();
  } finally {
    fs.rmSync(lock, { force: true });
  }
}

/**
 * Installs what package-lock.json names, unless that was done before. The lockfile is never left changed.
 * @param {string} root
 * @param {(args: string[]) => Promise<{code: number, output: string}>} npm
 * @param {typeof say} tell
 */
export async function ensureInstalled(root, npm = (args) => runNpm(root, args), tell = say) {
  if (isInstalled(root)) return;
  const install = async () => {
    if (isInstalled(root)) return;
    const lockfile = path.join(root, 'package-lock.json');
    if (!fs.existsSync(lockfile)) {
      throw new BootstrapError({
        missing: 'package-lock.json',
        why: 'without it nobody knows which versions belong here',
        command: 'git checkout package-lock.json',
      });
    }
    const before = fs.readFileSync(lockfile, 'utf8');
    const fresh = !fs.existsSync(path.join(root, 'node_modules', '.bin'));
    tell(
      'packages',
      fresh ? 'installing what package-lock.json names: about 1 GB, 1 to 2 min, once' : 'updating to package-lock.json',
    );
    const started = Date.now();
    const heartbeat = setInterval(() => tell('', `still installing, ${duration(Date.now() - started)}`), HEARTBEAT_MS);
    // Not `npm ci`: a lockfile made where the registry lacks packages of foreign platforms fails there (docs/adr/0002).
    // No install script is needed; those npm would run build things that are never loaded.
    const args = [
      'install',
      '--include=dev',
      '--include=optional',
      '--ignore-scripts',
      '--no-audit',
      '--no-fund',
      '--no-progress',
      '--loglevel=error',
    ];
    const { code, output } = await npm(args).finally(() => clearInterval(heartbeat));
    const after = fs.readFileSync(lockfile, 'utf8');
    if (after !== before) fs.writeFileSync(lockfile, before);
    if (code !== 0) {
      tell('npm', `${output.trimEnd().split('\n').slice(-15).join('\n             ')}`);
      throw new BootstrapError({
        missing: 'packages from the npm registry',
        why: `npm install ended with code ${code}, its last lines are above (registry: npm config get registry)`,
        command: `npm ${args.join(' ')}`,
      });
    }
    const differences = lockfileDifferences(before, after, (place) => fs.existsSync(path.join(root, place)));
    if (differences.length > 0) {
      throw new BootstrapError({
        missing: 'the versions that package-lock.json names',
        why: `npm install changed it, and that was taken back: ${differences.slice(0, 5).join(', ')}${differences.length > 5 ? `, and ${differences.length - 5} more` : ''}`,
        command:
          'rm -rf node_modules && npm start (or, after a change of package.json: npm install, and commit package-lock.json)',
      });
    }
    if (findNode(root) === null) {
      throw new BootstrapError({
        missing: `Node ${WANTED_NODE.join('.')} for ${process.platform} ${process.arch}`,
        why: `npm has none for this platform in package-lock.json, and this one is ${process.version}`,
        command: `install Node ${WANTED_NODE.join('.')} or newer from https://nodejs.org`,
      });
    }
    fs.mkdirSync(path.dirname(stampFile(root)), { recursive: true });
    fs.writeFileSync(stampFile(root), installFingerprint(root));
    tell('packages', `installed in ${duration(Date.now() - started)}`);
  };
  await withInstallLock(root, install, tell);
}

/**
 * Ends this process as the given TypeScript file on the project's own Node: in place where this Node can, else as a child
 * that gets our signals and notices our death through its IPC channel.
 * @param {string} entry path below the checkout @param {readonly string[]} args
 */
export function becomeNode24(entry, args) {
  const node = /** @type {string} */ (findNode(checkout));
  const env = {
    ...process.env,
    PATH: `${path.join(checkout, 'node_modules', '.bin')}${path.delimiter}${process.env.PATH ?? ''}`,
  };
  const preload = pathToFileURL(path.join(checkout, 'tools', 'compile-cache.mjs')).href;
  const argv = ['--conditions=tiny-forge-source', `--import=${preload}`, path.join(checkout, entry), ...args];
  process.chdir(checkout);
  if (typeof process.execve === 'function') process.execve(node, [node, ...argv], env);
  const child = spawn(node, argv, { env, stdio: ['inherit', 'inherit', 'inherit', 'ipc'] });
  for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP']))
    process.on(signal, () => child.kill(signal));
  if (process.env.npm_lifecycle_event !== undefined) {
    // npm was killed and could pass nothing on: closing the channel tells the child.
    const parent = process.ppid;
    setInterval(() => process.ppid !== parent && child.connected && child.disconnect(), 1_000).unref();
  }
  child.on('exit', (code, signal) => process.exit(code ?? 128 + (signal ? os.constants.signals[signal] : 1)));
}

/** @param {Missing} missing @param {string} what @param {string} again */
export function printMissing(missing, what, again) {
  process.stderr.write(`\n${what}: ${missing.missing} is missing.\n  why        ${missing.why}\n`);
  if (missing.command) process.stderr.write(`  get it     ${missing.command}\n`);
  process.stderr.write(`  then       ${again}\n`);
}

/**
 * Makes sure that everything package-lock.json names is there.
 * @param {{ failed: string, again: string }} words
 * @returns {Promise<boolean>} false when it is not; the reader was told then
 */
export async function install(words) {
  try {
    if (!isAtLeast(process.version, OLDEST_NODE)) {
      throw new BootstrapError({
        missing: `Node ${OLDEST_NODE.join('.')} or newer`,
        why: `this is ${process.version}; newer ones bring the rest through npm`,
        command: 'https://nodejs.org, or your distribution',
      });
    }
    await ensureInstalled(checkout);
    return true;
  } catch (error) {
    if (!(error instanceof BootstrapError)) throw error;
    printMissing(error.missing, words.failed, words.again);
    process.exitCode = 1;
    return false;
  }
}

/**
 * The way in of every command of package.json.
 * @param {string} entry @param {{ failed: string, again: string }} words
 */
export async function enter(entry, words) {
  if (await install(words)) becomeNode24(entry, process.argv.slice(2));
}
