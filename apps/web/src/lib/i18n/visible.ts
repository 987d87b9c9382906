/**
 * Names come from images, archives and other people. `visible` makes what cannot be seen seen: control characters, bidirectional
 * overrides, invisible spaces and lone surrogates become `\x1b`, `\u202e`. Ordinary text of any script passes unchanged.
 */
const HIDDEN =
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;

export function visible(text: string): string {
  return text.replace(HIDDEN, (character) => {
    const code = character.charCodeAt(0);
    return code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u${code.toString(16).padStart(4, '0')}`;
  });
}

/** A name as part of a sentence: made visible, cut in the middle past `limit` characters, marked so that `Say` puts it into `<bdi>`. */
export function name(value: unknown, limit = 160): string {
  return OPEN + cut(visible(spell(value)), limit) + CLOSE;
}

export function spell(value: unknown): string {
  if (value === null || value === undefined) return '–';
  return typeof value === 'string'
    ? value
    : typeof value === 'number' || typeof value === 'boolean'
      ? String(value)
      : '?';
}

/** Keeps both ends: the end of a path says most. */
export function cut(text: string, limit: number): string {
  const characters = [...text];
  if (characters.length <= limit) return text;
  const tail = Math.floor(limit / 3);
  return `${characters.slice(0, limit - tail - 1).join('')}…${characters.slice(-tail).join('')}`;
}

const OPEN = '\u2068';
const CLOSE = '\u2069';

export interface Piece {
  readonly text: string;
  readonly isName: boolean;
}

/** Splits a sentence of the catalogue into text and names. */
export function pieces(sentence: string): Piece[] {
  return sentence
    .split(/(\u2068[^\u2069]*\u2069)/)
    .filter((part) => part !== '')
    .map((part) => (part.startsWith(OPEN) ? { text: part.slice(1, -1), isName: true } : { text: part, isName: false }));
}

/** The same sentence for attributes and titles, where no element can stand. */
export const plain = (sentence: string): string => sentence.replace(/[\u2068\u2069]/g, '');
