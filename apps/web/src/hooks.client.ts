import { i18n } from '#lib/i18n/i18n.svelte.ts';
import { followSystemTheme } from '#lib/state/preferences.svelte.ts';

/** Nothing is drawn before the catalogue of the reader's language is here. */
export async function init(): Promise<void> {
  await i18n.refresh();
  followSystemTheme();
  // boot.js now knows that the scripts came through.
  document.documentElement.dataset['started'] = '';
}
