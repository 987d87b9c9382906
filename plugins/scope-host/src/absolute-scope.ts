import { lstat, realpath } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { ForgeError } from '@tiny-forge/contracts/domain';
import { defineVolumeScope, type ScopeContext } from '@tiny-forge/plugin-api';

const absolutePath = z
  .string()
  .min(2)
  .max(4096)
  .refine((value) => value.startsWith('/'), 'an absolute path')
  .refine(
    (value) => path.posix.normalize(value) === value && !value.endsWith('/'),
    'a path without `.`, `..`, `//` and a slash at its end',
  )
  .refine((value) => !/[\u0000-\u001f\u007f]/.test(value), 'a path without control characters');

const capabilities = { captured: true, createsDirectory: false, deletable: false };

/** A directory of the user's, below an allowed root. Never created, never deleted by us. */
export const absoluteScope = defineVolumeScope({
  id: 'absolute',
  apiVersion: 1,
  source: absolutePath,
  capabilities,
  create: () => ({
    async resolve(volume, context) {
      const checked = absolutePath.safeParse(volume.source);
      if (!checked.success) throw unsafe(volume.source, checked.error.issues[0]?.message ?? 'not a path');
      const root = await allowedRoot(volume.source, context);
      await assertNoSymlinkBelow(root.canonical, root.rest);
      const hostPath = path.join(root.canonical, ...root.rest);
      return { hostPath, parent: path.dirname(hostPath), base: root.canonical, capabilities };
    },
  }),
});

interface AllowedRoot {
  readonly canonical: string;
  /** Names below the root, at least one. */
  readonly rest: readonly string[];
}

/** The deepest allowed root above `source`. The administrator may have named a root by a symlink: its target counts, under both names. */
async function allowedRoot(source: string, context: ScopeContext): Promise<AllowedRoot> {
  let best: AllowedRoot | null = null;
  for (const configured of context.allowedRoots) {
    const canonical = await realpath(configured).catch(() => null);
    if (canonical === null) continue;
    for (const name of [configured, canonical]) {
      const prefix = name === '/' ? '/' : `${name}/`;
      if (!source.startsWith(prefix)) continue;
      const rest = source.slice(prefix.length).split('/');
      if (best === null || rest.length < best.rest.length) best = { canonical, rest };
    }
  }
  if (best === null) {
    const roots = context.allowedRoots.join(', ') || 'none is configured';
    throw new ForgeError({ code: 'VOLUME_OUTSIDE_ROOTS', params: { path: source, roots } });
  }
  return best;
}

async function assertNoSymlinkBelow(root: string, rest: readonly string[]): Promise<void> {
  let current = root;
  for (const name of rest) {
    current = path.join(current, name);
    const stat = await lstat(current).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return null;
      throw unsafe(current, error.code ?? 'unreadable');
    });
    if (stat === null) return;
    if (stat.isSymbolicLink()) throw unsafe(current, 'it is a symlink');
    if (!stat.isDirectory()) throw unsafe(current, 'it is not a directory');
  }
}

const unsafe = (hostPath: string, why: string): ForgeError =>
  new ForgeError({ code: 'VOLUME_PATH_UNSAFE', params: { path: hostPath, why } });
