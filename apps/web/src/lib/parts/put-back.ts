import type { Operation } from '@tiny-forge/contracts/domain';
import type { Messages } from '../i18n/en.ts';

type Tree = NonNullable<Operation['kept']>['trees'][number];

/** As a shell reads it back, whatever the path holds. */
const quoted = (path: string): string =>
  /^[\w./@%+=:,-]+$/.test(path) ? path : `'${path.replaceAll("'", String.raw`'\''`)}'`;

/** What a person runs on the host while the app is stopped. `-n`: nothing is ever overwritten. */
export function linesToPutBack(trees: readonly Tree[], words: Words): Lines {
  return trees.flatMap(({ livePath, path }) =>
    path.startsWith(`${livePath}/`) ? inside(livePath, path, words) : beside(livePath, path, words),
  );
}

type Words = Pick<Messages['restore']['kept'], 'aside' | 'back'>;
type Lines = readonly { readonly summary: string; readonly command: string }[];

function beside(livePath: string, path: string, words: Words): Lines {
  return [
    { summary: words.aside(livePath), command: `mv -nT -- ${quoted(livePath)} ${quoted(`${livePath}.restored`)}` },
    { summary: words.back(livePath), command: `mv -nT -- ${quoted(path)} ${quoted(livePath)}` },
  ];
}

/** A mount point stays where it is: what lies in it changes places. The folder is made anew, so that a second run does nothing. */
function inside(livePath: string, path: string, words: Words): Lines {
  const [live, kept, restored] = [quoted(livePath), quoted(path), quoted(`${livePath}/restored`)];
  const entries = (folder: string): string => `find ${folder} -mindepth 1 -maxdepth 1`;
  return [
    {
      summary: words.aside(livePath),
      command: `mkdir -m 700 -- ${restored} && ${entries(live)} ! -name restored ! -name '.restore-*.old' -exec mv -n -t ${restored} -- {} +`,
    },
    {
      summary: words.back(livePath),
      command: `${entries(kept)} -exec mv -n -t ${live} -- {} + && chown --reference=${kept} -- ${live} && chmod --reference=${kept} -- ${live}`,
    },
  ];
}
