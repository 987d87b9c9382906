import { en } from '../lib/i18n/en.ts';
import { i18n } from '../lib/i18n/i18n.svelte.ts';
import { ru } from '../lib/i18n/ru.ts';

export const useEnglish = (): void => i18n.set(en, 'en', 'UTC');
export const useRussian = (): void => i18n.set(ru, 'ru', 'UTC');
