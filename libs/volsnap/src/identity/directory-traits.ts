import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { promisify } from 'node:util';
import type { DirectoryTraits } from '../ports/fs-port.ts';

const run = promisify(execFile);
const SELINUX = '/sys/fs/selinux/enforce';

/** Asked of small programs that only look: Node has no call for either. */
export async function traitsOf(directory: string): Promise<DirectoryTraits> {
  return { flags: await flagsOf(directory), securityLabel: existsSync(SELINUX) ? await labelOf(directory) : null };
}

/** Where lsattr is missing or the file system has no such flags there is nothing to report; the probe of pre-flight tries a rename anyway. */
async function flagsOf(directory: string): Promise<DirectoryTraits['flags']> {
  const { stdout } = await run('lsattr', ['-d', '--', directory]).catch(() => ({ stdout: '' }));
  const letters = /^[\w-]+/.exec(stdout)?.[0] ?? '';
  return [
    ...(letters.includes('i') ? (['immutable'] as const) : []),
    ...(letters.includes('a') ? (['append-only'] as const) : []),
  ];
}

async function labelOf(directory: string): Promise<string | null> {
  const { stdout } = await run('stat', ['-c', '%C', '--', directory]).catch(() => ({ stdout: '?' }));
  const label = stdout.trim();
  return label === '?' || label === '' ? null : label;
}
