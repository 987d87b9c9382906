import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { byteString, bytesOf, escapeName } from './byte-string.ts';

test.each<[Uint8Array | string, string]>([
  ['plain name.txt', 'plain name.txt'],
  ['Übergröße Привет 日本', 'Übergröße Привет 日本'],
  ['\x1b]0;pwn\x07', '\\u{1b}]0;pwn\\u{7}'],
  ['a\nb\tc', 'a\\u{a}b\\u{9}c'],
  ['invoice\u202egpj.exe', 'invoice\\u{202e}gpj.exe'],
  ['back\\slash', 'back\\\\slash'],
  [Buffer.from([0x66, 0xff, 0x0a, 0x5c]), 'f\\xff\\x0a\\\\'],
  ['x'.repeat(201), `${'x'.repeat(200)}...`],
])('%j', (name, shown) => {
  expect(escapeName(name)).toBe(shown);
});

test('whatever the bytes, no control or direction character comes out', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      expect(escapeName(bytes)).not.toMatch(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u);
      expect(bytesOf(byteString(bytes)).equals(Buffer.from(bytes))).toBe(true);
    }),
  );
});
