import type { Language } from '../i18n/format.ts';

export type Theme = 'system' | 'light' | 'dark';
const KEY = 'tiny-forge.preferences';

interface Saved {
  language?: Language;
  theme?: Theme;
  utc?: boolean;
  keys?: boolean;
  demoHidden?: boolean;
}

/** What the reader chose in this browser. `/boot.js` reads the same key before the first paint. */
class Preferences {
  #saved = $state.raw<Saved>(read());

  get language(): Language {
    const lang = this.#saved.language ?? document.documentElement.lang;
    return lang === 'ru' ? 'ru' : 'en';
  }
  get theme(): Theme {
    return this.#saved.theme ?? 'system';
  }
  get utc(): boolean {
    return this.#saved.utc ?? false;
  }
  get zone(): string {
    return this.utc ? 'UTC' : browserZone();
  }
  get keys(): boolean {
    return this.#saved.keys ?? true;
  }
  get demoHidden(): boolean {
    return this.#saved.demoHidden ?? false;
  }

  set(change: Saved): void {
    this.#saved = { ...this.#saved, ...change };
    try {
      localStorage.setItem(KEY, JSON.stringify(this.#saved));
    } catch {
      // Private windows may refuse storage; the choice then lasts as long as the page.
    }
    applyTheme(this.theme);
  }
}

export function browserZone(): string {
  return new Intl.DateTimeFormat().resolvedOptions().timeZone;
}

function read(): Saved {
  try {
    const value: unknown = JSON.parse(localStorage.getItem(KEY) ?? '{}');
    return typeof value === 'object' && value !== null ? value : {};
  } catch {
    return {};
  }
}

const darkQuery = () => window.matchMedia('(prefers-color-scheme: dark)');

function applyTheme(theme: Theme): void {
  document.documentElement.dataset['theme'] = theme === 'system' ? (darkQuery().matches ? 'dark' : 'light') : theme;
}

export function followSystemTheme(): void {
  darkQuery().addEventListener('change', () => applyTheme(preferences.theme));
}

export const preferences = new Preferences();
