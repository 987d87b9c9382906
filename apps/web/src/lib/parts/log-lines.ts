import { visible } from '../i18n/visible.ts';

/** The lines of a log answer, text or `{lines}`, each made visible: a log may hold anything. */
export function logLines(answer: unknown): string[] {
  const raw =
    typeof answer === 'string'
      ? answer.split('\n')
      : typeof answer === 'object' && answer !== null
        ? ((Object.values(answer).find(Array.isArray) as unknown[] | undefined) ?? [])
        : [];
  return raw
    .map((line) => (typeof line === 'string' ? line : JSON.stringify(line)))
    .map((line) => visible(line.replace(/\t/g, '  ').replace(/\r$/, '')))
    .filter((line, index, all) => line !== '' || index < all.length - 1);
}
