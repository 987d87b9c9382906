import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { ERROR_KINDS, ERRORS, type ErrorCode } from '@tiny-forge/contracts/domain';
import { errorsDocument } from './errors-document.ts';
import { RequestError, STATUS_OF_KIND, toProblem } from './http/problem.ts';

const file = path.resolve(import.meta.dirname, '..', '..', '..', 'docs', 'errors.md');

describe('docs/errors.md', () => {
  it('equals the catalogue', () => {
    if (process.env['WRITE_DOCS'] === '1') writeFileSync(file, errorsDocument());
    expect(readFileSync(file, 'utf8')).toBe(errorsDocument());
  });
});

describe('the problem of every code', () => {
  it.each(Object.keys(ERRORS) as ErrorCode[])('%s has a status, a state and a next step', (code) => {
    const problem = toProblem(new RequestError(code, {}));
    expect(problem.status).toBe(STATUS_OF_KIND[ERRORS[code].kind]);
    expect(problem.code).toBe(code);
    for (const text of [problem.title, problem.detail, problem.state, problem.next]) expect(text).not.toBe('');
  });

  it('the table is total', () => {
    expect(Object.keys(STATUS_OF_KIND).sort()).toEqual([...ERROR_KINDS].sort());
  });
});
