import type { Note } from '@tiny-forge/contracts/domain';
import type { Messages } from '../i18n/en.ts';
import type { Format } from '../i18n/format.ts';
import { renderCode } from '../i18n/render.ts';
import { Values } from '../i18n/values.ts';
import { name } from '../i18n/visible.ts';

/** What a snapshot could not hold, as a sentence; an unknown code shows as itself with its values. */
export function noteSentence(m: Messages, f: Format, note: Note): string {
  const known = (m.snapshot.notes as Readonly<Record<string, ((what: string) => string) | undefined>>)[note.code];
  const values = new Values(note.params, f, 0);
  if (known === undefined && note.code in m.errors) return renderCode(m, f, note.code, note.params, 0);
  if (known !== undefined) return known(note.code === 'NOTES_CUT' ? values.count('count') : values.name('path'));
  return `${note.code} ${Object.values(note.params)
    .map((value) => name(value))
    .join(' ')}`.trim();
}
