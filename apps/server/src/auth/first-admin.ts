import { PERMISSIONS } from '@tiny-forge/contracts/domain';
import type { State } from '../state/index.ts';
import { generatePassword, hashPassword } from './passwords.ts';

export const ADMIN = 'admin';

/**
 * Makes `admin` at the first start of an installation, with all permissions.
 * @param print told the generated password, once; it is stored nowhere
 */
export async function ensureAdmin(
  state: State,
  configured: string | null,
  print: (password: string) => void,
): Promise<void> {
  if (await state.users.byName(ADMIN)) return;
  const password = configured ?? generatePassword();
  const isNew = await state.users.createIfMissing(ADMIN, await hashPassword(password), PERMISSIONS);
  if (isNew && configured === null) print(password);
}
