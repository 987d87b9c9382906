import fs from 'node:fs';
import path from 'node:path';
import type { Machine } from './commands.ts';

/** Whether any hierarchy of control groups is mounted; without one no container runs. */
export function hasCgroups(mounts: string): boolean {
  return mounts.split('\n').some((line) => /^\S+ \/sys\/fs\/cgroup\S* cgroup2? /.test(line));
}

/** Controllers of `/proc/cgroups` that the kernel has switched on. */
export function enabledControllers(procCgroups: string): string[] {
  return procCgroups
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => line.split(/\s+/))
    .filter((fields) => fields[3] === '1')
    .map((fields) => fields[0] ?? '');
}

/**
 * Mounts the control groups as an init system would have done, the old way (one folder a controller), which every Docker
 * Engine knows. For machines without an init system; root only.
 * @returns what was mounted, empty when nothing was missing
 */
export async function ensureCgroups(machine: Machine, root = '/sys/fs/cgroup'): Promise<string[]> {
  if (hasCgroups(fs.readFileSync('/proc/mounts', 'utf8'))) return [];
  const controllers = enabledControllers(fs.readFileSync('/proc/cgroups', 'utf8'));
  await machine.run('mount', ['-t', 'tmpfs', '-o', 'mode=755', 'cgroup', root]);
  const mounted: string[] = [];
  for (const controller of controllers) {
    const folder = path.join(root, controller);
    fs.mkdirSync(folder, { recursive: true });
    const { code } = await machine.run('mount', ['-t', 'cgroup', '-o', controller, 'cgroup', folder]);
    if (code === 0) mounted.push(controller);
    else fs.rmdirSync(folder);
  }
  if (mounted.length > 0) return mounted;
  // All controllers belong to the unified hierarchy already: then that one is what there is.
  await machine.run('umount', [root]);
  const { code } = await machine.run('mount', ['-t', 'cgroup2', 'cgroup2', root]);
  return code === 0 ? ['unified'] : [];
}
