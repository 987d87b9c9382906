import { spawn } from 'node:child_process';
import path from 'node:path';
import { checkout } from '../bootstrap.mjs';
import { parseArguments } from './check-arguments.ts';
import { type DockerdRecord } from './dockerd.ts';
import { stopProcess } from './process-identity.ts';
import { startTestDocker } from './test-docker.ts';
import { reportFailure } from './terminal.ts';
import { listProjects, type Project } from './workspace.ts';

/**
 * The part of `npm test` that runs in the room: network, Docker daemon, then the tasks. Resolves with the exit code.
 * @param args the room's folder where a daemon of the tests' own is wanted, then what `npm test` was given
 */
export async function runCheckInside(args: readonly string[]): Promise<number> {
  const [first = '', ...given] = args;
  const folder = path.isAbsolute(first) ? first : undefined;
  let docker: DockerdRecord | null = null;
  try {
    if (folder !== undefined) {
      docker = await startTestDocker(folder);
      process.env['DOCKER_HOST'] = `unix://${docker.socket}`;
    }
    return await runTasks(folder === undefined ? args : given);
  } catch (error) {
    reportFailure('The tests did not start', error, 'npm test');
    return 1;
  } finally {
    if (docker !== null) await stopProcess(docker, 'SIGTERM', 20_000);
  }
}

/**
 * Libraries, plugins and tools two at a time. Then apps one at a time: their tests start servers, kill them and watch the clock.
 * Last what runs the built product as a whole, in processes and in the browser.
 */
async function runTasks(args: readonly string[]): Promise<number> {
  const asked = parseArguments(args, listProjects(checkout));
  if (typeof asked === 'string') throw new Error(asked);
  const { projects, jest } = asked;
  const uncached = jest.length > 0 || args.includes('--skip-nx-cache') || process.env['CI'] === 'true';
  const flags = [...(uncached ? ['--skip-nx-cache'] : []), ...(jest.length > 0 ? ['--', ...jest] : [])];
  const isWhole = ({ folder, scripts }: Project): boolean => folder === 'e2e' || scripts.has('e2e');
  const isApp = (project: Project): boolean => project.folder.startsWith('apps/') && !isWhole(project);
  const phases: readonly {
    readonly targets: readonly string[];
    readonly parallel: number;
    readonly of: (project: Project) => boolean;
  }[] = [
    { targets: ['test'], parallel: 2, of: (project) => !isApp(project) && !isWhole(project) },
    { targets: ['test'], parallel: 1, of: isApp },
    { targets: jest.length > 0 ? ['test'] : ['test', 'e2e'], parallel: 1, of: isWhole },
  ];
  let worst = 0;
  for (const { targets, parallel, of } of phases) {
    const names = projects.filter((project) => of(project) && project.scripts.has('test')).map(({ name }) => name);
    if (names.length > 0)
      worst = Math.max(worst, await runNx(['-t', ...targets, `--parallel=${parallel}`, '-p', ...names, ...flags]));
  }
  return worst;
}

function runNx(args: readonly string[]): Promise<number> {
  const nx = path.join(checkout, 'node_modules', '.bin', 'nx');
  return new Promise((resolve, reject) => {
    const child = spawn(nx, ['run-many', '--outputStyle=static', '--nxBail=false', ...args], {
      cwd: checkout,
      env: {
        ...process.env,
        NX_DAEMON: 'false',
        NX_TUI: 'false',
        // npm repeats for every task what it thinks of the machine's configuration.
        npm_config_loglevel: 'silent',
        ...(process.stdout.isTTY ? {} : { FORCE_COLOR: '0' }),
      },
      stdio: ['ignore', 'inherit', 'inherit'],
    });
    child.on('error', reject);
    child.on('close', (code) => resolve(code ?? 1));
  });
}
