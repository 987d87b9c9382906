import { mkdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { ForgeError } from '@tiny-forge/contracts/domain';

/**
 * Makes a folder and its missing parents, mode 0700. Not `mkdirSync(..., { recursive: true })`: Node 24 loops for ever where the kernel answers
 * ENOENT below an existing folder, as /proc does.
 * @throws ForgeError DATA_DIR_UNUSABLE
 */
export function makeDirectory(folder: string): void {
  if (isDirectory(folder)) return;
  const parent = path.dirname(folder);
  if (parent !== folder) makeDirectory(parent);
  try {
    mkdirSync(folder, { mode: 0o700 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST' && isDirectory(folder)) return;
    const why = error instanceof Error ? error.message : String(error);
    throw new ForgeError({ code: 'DATA_DIR_UNUSABLE', params: { path: folder, why }, cause: error });
  }
}

function isDirectory(folder: string): boolean {
  try {
    return statSync(folder).isDirectory();
  } catch {
    return false;
  }
}
