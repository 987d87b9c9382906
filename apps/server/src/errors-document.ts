import { ERRORS, type ErrorCode } from '@tiny-forge/contracts/domain';
import { STATUS_OF_KIND } from './http/problem.ts';

const cell = (text: string): string => text.replace(/\|/g, '\\|');

/** `docs/errors.md`, from the catalogue; a test proves the file equal. */
export function errorsDocument(): string {
  const codes = Object.keys(ERRORS).sort() as ErrorCode[];
  const rows = codes.map((code) => {
    const { kind, title, detail, next, retryable } = ERRORS[code];
    return `| \`${code}\` | ${STATUS_OF_KIND[kind]} | ${kind}${retryable ? ', retried' : ''} | ${cell(title)} | ${cell(detail)} | ${cell(next)} |`;
  });
  return [
    '# Errors',
    '',
    'Every error that the API answers (`application/problem+json`) or that an operation records. `code` is stable; `detail` is filled from `params`,',
    'named here in braces. The web renders `code` and `params` in the language of its reader. The status is that of an answer; in an operation the',
    'code stands in `error.code` and the operation is answered with 200. "retried" means that the step is tried again by itself.',
    '',
    '_This page is written from `libs/contracts/src/error-catalogue.ts`: run `WRITE_DOCS=1 npm test -w @tiny-forge/server -- errors-document` after changing that file._',
    '',
    '| code | status | kind | title | detail | next |',
    '|---|---|---|---|---|---|',
    ...rows,
    '',
  ].join('\n');
}
