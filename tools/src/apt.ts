import type { Machine } from './commands.ts';
import { lastLines } from './commands.ts';
import type { Terminal } from './terminal.ts';
import { duration } from '../bootstrap.mjs';

const aptOptions = ['-o', 'DPkg::Lock::Timeout=300', '-o', 'Acquire::Retries=3'];

/** What a person would type for the same. */
export function aptCommand(packages: readonly string[], sudo: boolean): string {
  const prefix = sudo ? 'sudo ' : '';
  return `${prefix}apt-get update && ${prefix}apt-get install -y --no-install-recommends ${packages.join(' ')}`;
}

export type AptResult = { readonly installed: true } | { readonly installed: false; readonly log: readonly string[] };

/**
 * Installs packages of the distribution as root, refreshing the package lists where they do not know them yet.
 * @param why one half sentence for the reader
 */
export async function aptInstall(
  machine: Machine,
  terminal: Terminal,
  part: string,
  packages: readonly string[],
  why: string,
): Promise<AptResult> {
  terminal.say(part, `installing ${packages.join(', ')} with apt-get: ${why}`);
  const env = { ...machine.env, DEBIAN_FRONTEND: 'noninteractive' };
  const install = () =>
    machine.run('apt-get', ['install', '-y', '--no-install-recommends', ...aptOptions, ...packages], { env });
  const started = Date.now();
  const work = async (): Promise<AptResult> => {
    const known = await machine.run('apt-cache', ['show', ...packages], { env });
    if (known.code === 0 && (await install()).code === 0) return { installed: true };
    // Lists that are old name versions the mirror no longer has: refresh once, then the answer counts.
    const update = await machine.run('apt-get', ['update', ...aptOptions], { env });
    const second = await install();
    if (second.code === 0) return { installed: true };
    return { installed: false, log: lastLines(`${update.stderr}\n${second.stdout}\n${second.stderr}`, 12) };
  };
  const result = await terminal.during('installing', work());
  if (result.installed) terminal.say(part, `installed in ${duration(Date.now() - started)}`);
  return result;
}
