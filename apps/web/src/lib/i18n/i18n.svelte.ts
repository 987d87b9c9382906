import type { Messages } from './en.ts';
import { Format, type Language } from './format.ts';
import { preferences } from '../state/preferences.svelte.ts';

const loaders: Readonly<Record<Language, () => Promise<Messages>>> = {
  en: async () => (await import('./en.ts')).en,
  ru: async () => (await import('./ru.ts')).ru,
};

class I18n {
  #messages = $state.raw<Messages | undefined>();
  #format = $state.raw<Format | undefined>();
  #loaded: Language | undefined;

  get messages(): Messages {
    if (this.#messages === undefined) throw new Error('the catalogue is not loaded yet');
    return this.#messages;
  }

  get format(): Format {
    if (this.#format === undefined) throw new Error('the catalogue is not loaded yet');
    return this.#format;
  }

  /** Loads the catalogue of `language`; only then does anything of the page change. */
  async use(language: Language, zone: string): Promise<void> {
    const messages = await loaders[language]();
    this.set(messages, language, zone);
  }

  set(messages: Messages, language: Language, zone: string): void {
    this.#messages = messages;
    this.#format = new Format(language, zone, messages.units);
    if (this.#loaded !== language && typeof document !== 'undefined') document.documentElement.lang = language;
    this.#loaded = language;
  }

  /** Follows the preferences after one of them changed. */
  async refresh(): Promise<void> {
    await this.use(preferences.language, preferences.zone);
  }
}

export const i18n = new I18n();
/** The sentences of the reader's language. Read in markup or `$derived`, so that a switch of language is followed. */
export const m = (): Messages => i18n.messages;
export const f = (): Format => i18n.format;
