import type { Project } from './workspace.ts';

export const USAGE = `usage: npm test [-- [--skip-nx-cache] [project ...] [-- argument of Jest ...]]

Runs every test of every project, or of the named ones, for example
  npm test -- e2e -- crash     the files of e2e whose path holds "crash"
--skip-nx-cache also runs what did not change.`;

/**
 * What a command line asks for; a text says what is wrong with it.
 * @param projects by the last part of their names
 */
export function parseArguments(
  args: readonly string[],
  projects: readonly Project[],
): { readonly projects: readonly Project[]; readonly jest: readonly string[] } | string {
  const cut = args.indexOf('--');
  const [own, jest] = cut === -1 ? [args, []] : [args.slice(0, cut), args.slice(cut + 1)];
  const names = own.filter((arg) => !arg.startsWith('-'));
  const named = names.map((name) => projects.find((project) => project.name === `@tiny-forge/${name}`));
  const unknown =
    own.find((arg) => arg.startsWith('-') && arg !== '--skip-nx-cache') ?? names.find((_, i) => named[i] === undefined);
  if (unknown !== undefined) return `Unknown argument ${unknown}.`;
  if (jest.length > 0 && names.length !== 1) return 'Arguments of Jest need exactly one project.';
  const chosen = projects.filter((project) => named.includes(project));
  return { projects: chosen.length === 0 ? projects : chosen, jest };
}
