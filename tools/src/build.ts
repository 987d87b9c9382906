import crypto from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { duration } from '../bootstrap.mjs';
import { lastLines, runCommand, type CommandResult } from './commands.ts';
import { exclusively } from './exclusive.ts';
import { ProvisionError } from './provision-error.ts';
import type { Terminal } from './terminal.ts';
import { listProjects } from './workspace.ts';

const SHARED_INPUTS = ['package-lock.json', 'tsconfig.base.json', 'nx.json'];
const NOT_SOURCES = new Set([
  'node_modules',
  'dist',
  'build',
  'reports',
  '.svelte-kit',
  'test-results',
  'playwright-report',
]);

export type RunBuild = (root: string, stop?: AbortSignal) => Promise<CommandResult>;

const runNx: RunBuild = (root, stop) =>
  runCommand(
    path.join(root, 'node_modules', '.bin', 'nx'),
    ['run-many', '-t', 'build', '--outputStyle=static'],
    {
      cwd: root,
      env: {
        ...process.env,
        NX_DAEMON: 'false',
        NX_TUI: 'false',
        FORCE_COLOR: '0',
        NODE_NO_WARNINGS: '1',
        npm_config_loglevel: 'silent',
      },
    },
    stop,
  );

/**
 * Changes with every name, size and modification time of the projects' sources. Reading what files hold is Nx's part:
 * this only says, in milliseconds, that there is nothing to ask it.
 */
export function sourceFingerprint(root: string): string {
  const hash = crypto.createHash('sha256');
  const add = (place: string, stat: fs.Stats): void => void hash.update(`${place} ${stat.size} ${stat.mtimeMs}\n`);
  const walk = (folder: string): void => {
    for (const entry of fs
      .readdirSync(path.join(root, folder), { withFileTypes: true })
      .sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const place = path.join(folder, entry.name);
      if (entry.isDirectory() && !NOT_SOURCES.has(entry.name)) walk(place);
      else if (entry.isFile()) add(place, fs.statSync(path.join(root, place)));
    }
  };
  for (const file of SHARED_INPUTS) {
    if (fs.existsSync(path.join(root, file))) add(file, fs.statSync(path.join(root, file)));
  }
  for (const project of listProjects(root)) if (project.scripts.has('build')) walk(project.folder);
  return hash.digest('hex');
}

/** What Nx and npm say around the compilers' own words. */
const AROUND =
  /^\s*(>|npm |NX|✔|- |Failed tasks|Run duration|Cache:|Critical path|Recoverable|View|Running target|Nx read)|^\s*$/;

function compilerWords(output: string): string[] {
  const words = output.split('\n').filter((line) => !AROUND.test(line) && !line.includes(' NX '));
  const errors = words.filter((line) => /error/i.test(line));
  return lastLines((errors.length > 0 ? errors : words).join('\n'), 12);
}

/** Folders that a build leaves; one that is gone means building again, whatever the stamp says. */
function outputs(root: string): string[] {
  return listProjects(root)
    .filter((project) => project.scripts.has('build'))
    .map((project) => path.join(root, project.folder));
}

const isBuilt = (folder: string): boolean => ['dist', 'build'].some((name) => fs.existsSync(path.join(folder, name)));

/**
 * Builds what changed, and does not even start Nx when nothing did.
 * @throws ProvisionError BUILD_FAILED with the compiler's last words
 */
export async function ensureBuilt(
  root: string,
  terminal: Terminal,
  stop?: AbortSignal,
  run: RunBuild = runNx,
): Promise<void> {
  const stamp = path.join(root, 'node_modules', '.cache', 'tiny-forge', 'build');
  const isCurrent = (fingerprint: string): boolean =>
    fs.existsSync(stamp) && fs.readFileSync(stamp, 'utf8') === fingerprint && outputs(root).every(isBuilt);
  if (isCurrent(sourceFingerprint(root))) return;
  await exclusively(`${stamp}.lock`, async () => {
    // Taken before the build: a file saved meanwhile is built next time.
    const fingerprint = sourceFingerprint(root);
    if (isCurrent(fingerprint)) return;
    terminal.say('build', 'building what changed since the last start');
    const started = Date.now();
    const result = await terminal.during('building', run(root, stop));
    if (result.code !== 0) {
      throw new ProvisionError({
        code: 'BUILD_FAILED',
        what: 'the build failed',
        why: 'the sources in this checkout do not compile; the compiler’s words are below',
        getIt: ['npm run build', 'git status (changes of your own?)'],
        log: compilerWords(`${result.stdout}\n${result.stderr}`),
      });
    }
    fs.mkdirSync(path.dirname(stamp), { recursive: true });
    fs.writeFileSync(stamp, fingerprint);
    terminal.say('build', `built in ${duration(Date.now() - started)}`);
  });
}
