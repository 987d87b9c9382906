import { describe, expect, it } from '@jest/globals';
import { ERROR_KINDS, ERRORS } from './error-catalogue.ts';
import { ForgeError, isForgeError, renderDetail } from './error.ts';

describe('ForgeError', () => {
  it('takes kind, retryable and message from the catalogue', () => {
    const error = new ForgeError({
      code: 'INSUFFICIENT_SPACE',
      params: { mount: '/srv', need: '2 GiB', free: '1 GiB' },
    });
    expect(error).toMatchObject({
      code: 'INSUFFICIENT_SPACE',
      kind: 'exhausted',
      retryable: false,
      message: '/srv needs 2 GiB, has 1 GiB.',
    });
    expect(isForgeError(error)).toBe(true);
  });

  it('is known by shape, not by class', () => {
    expect(isForgeError({ forgeError: true })).toBe(true);
    expect(isForgeError(new Error('x'))).toBe(false);
    expect(isForgeError(null)).toBe(false);
  });

  it('bounds its parameters', () => {
    const error = new ForgeError({ code: 'NOT_FOUND', params: { what: 'x'.repeat(5000) } });
    expect(String(error.params['what'])).toHaveLength(1024);
  });

  it('leaves a parameter that is missing visible', () => {
    expect(renderDetail('NOT_FOUND', {})).toBe('{what} does not exist.');
  });
});

describe('the catalogue', () => {
  it.each(Object.entries(ERRORS))('%s says what failed and what to do next', (code, entry) => {
    expect(code).toMatch(/^[A-Z][A-Z0-9_]+$/);
    expect(ERROR_KINDS).toContain(entry.kind);
    expect(entry.title).toMatch(/^[A-Z].*[^.]$/);
    expect(entry.detail).toMatch(/^[{A-Z].*\.$/);
    expect(entry.next).toMatch(/^[A-Z].*\.$/);
  });
});
