/** Picks the form for a count by the rules of the language; fractions take `other`. */
const en = new Intl.PluralRules('en-GB');
const ru = new Intl.PluralRules('ru');

export const english = (count: number, one: string, other: string): string =>
  en.select(count) === 'one' ? one : other;

/** 1 файл · 2 файла · 5 файлов · 1,5 файла */
export function russian(count: number, one: string, few: string, many: string): string {
  const form = ru.select(count);
  return form === 'one' ? one : form === 'many' ? many : few;
}
