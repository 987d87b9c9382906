import { describe, expect, it } from '@jest/globals';
import { placeOf, placeQuery, rightsText, shownName, steps, toBase64url } from './byte-path.ts';

const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);
const text = (value: string): Uint8Array => new TextEncoder().encode(value);

describe('places in a snapshot', () => {
  it.each([
    [text(''), 'volume=3'],
    [text('sub/dir'), 'volume=3&path=sub/dir'],
    [text('a b&c=d?#%'), 'volume=3&path=a+b%26c%3Dd%3F%23%25'],
    [text('файл'), 'volume=3&path=%D1%84%D0%B0%D0%B9%D0%BB'],
    [bytes(0x66, 0xff), 'volume=3&path64=Zv8'],
  ])('have an address that says them', (path, query) => {
    expect(placeQuery({ volume: 3, path })).toBe(query);
    const back = placeOf(new URLSearchParams(query));
    expect(back?.volume).toBe(3);
    expect([...(back?.path ?? [])]).toEqual([...path]);
  });

  it.each(['', 'path=a', 'volume=x', 'volume=-1', 'volume=1.5', 'volume=0&path64=*'])('%j names none', (query) => {
    expect(placeOf(new URLSearchParams(query))).toBeNull();
  });

  it('are walked from the root', () => {
    expect(steps(text(''))).toEqual([]);
    expect(steps(text('a/bb/c')).map(({ name, path }) => [shownName(name), shownName(path)])).toEqual([
      ['a', 'a'],
      ['bb', 'a/bb'],
      ['c', 'a/bb/c'],
    ]);
  });
});

it('names show what they are, and never a raw control character', () => {
  expect(shownName(text('plain ünï'))).toBe('plain ünï');
  expect(shownName(text('a\u202eb\u001b\\'))).toBe('a\\u202eb\\x1b\\\\');
  expect(shownName(bytes(0x66, 0xff, 0x5c))).toBe('f\\xff\\\\');
  expect(toBase64url(bytes(0xfb, 0xff, 0xfe))).toBe('-__-');
});

it.each([
  [0o644, 'rw-r--r--'],
  [0o755, 'rwxr-xr-x'],
  [0o4755, 'rwsr-xr-x'],
  [0o2640, 'rw-r-S---'],
  [0o1777, 'rwxrwxrwt'],
  [0, '---------'],
])('rights of %o', (mode, shown) => {
  expect(rightsText(mode)).toBe(shown);
});
