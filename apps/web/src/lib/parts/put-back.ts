import type { Operation } from '@tiny-forge/contracts/domain';
import type { Messages } from '../i18n/en.ts';

type Tree = NonNullable<Operation['kept']>['trees'][number];

/** As a shell reads it back, whatever the path holds. */
const quoted = (path: string): string =>
  /^[\w./@%+=:,-]+$/.test(path) ? path : `'${path.replaceAll("'", String.raw`'\''`)}'`;

/** What a person runs on the host while the app is stopped. `-n`: nothing is ever overwritten. */
export function linesToPutBack(
  trees: readonly Tree[],
  words: Pick<Messages['restore']['kept'], 'aside' | 'back'>,
): { readonly summary: string; readonly command: string }[] {
  return trees.flatMap(({ livePath, path }) => [
    { summary: words.aside(livePath), command: `mv -nT -- ${quoted(livePath)} ${quoted(`${livePath}.restored`)}` },
    { summary: words.back(livePath), command: `mv -nT -- ${quoted(path)} ${quoted(livePath)}` },
  ]);
}
