import { aptCommand, aptInstall } from './apt.ts';
import type { Machine } from './commands.ts';
import { ProvisionError } from './provision-error.ts';
import type { Terminal } from './terminal.ts';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];
const PACKAGES = ['chromium'];

/**
 * Finds a Chromium for the browser tests: CHROMIUM_PATH, PATH, then (as root) the distribution's package.
 * @throws ProvisionError CHROMIUM_MISSING
 */
export async function ensureChromium(machine: Machine, terminal: Terminal): Promise<string> {
  const given = machine.env['CHROMIUM_PATH'] ?? '';
  if (given !== '') {
    if (machine.isExecutable(given)) return given;
    throw missing(`CHROMIUM_PATH=${given} is no program`, ['unset CHROMIUM_PATH, and one is found or installed']);
  }
  const find = (): string | null => NAMES.map((name) => machine.which(name)).find((file) => file !== null) ?? null;
  const found = find();
  if (found !== null) return found;
  const other = 'CHROMIUM_PATH=/path/of/a/chromium npm test, if you have one';
  if (!machine.hasApt)
    throw missing(`none of ${NAMES.join(', ')} is on PATH`, ['install Chromium with this system’s packages', other]);
  if (!machine.isRoot)
    throw missing('it is not on PATH, and only root can install it', [aptCommand(PACKAGES, true), other]);
  const result = await aptInstall(machine, terminal, 'chromium', PACKAGES, 'the browser tests need one');
  const installed = find();
  if (!result.installed || installed === null)
    throw missing(
      'apt-get could not install it',
      [aptCommand(PACKAGES, false), other],
      result.installed ? [] : result.log,
    );
  return installed;
}

function missing(why: string, getIt: readonly string[], log: readonly string[] = []): ProvisionError {
  return new ProvisionError({ code: 'CHROMIUM_MISSING', what: 'Chromium is missing', why, getIt, log });
}
