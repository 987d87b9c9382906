import { describe, expect, it } from '@jest/globals';
import { cut, name, pieces, plain, visible } from './visible.ts';

describe('UX24: names from outside', () => {
  it('control and bidirectional characters are seen, not obeyed', () => {
    expect(visible('a\u001b[31m\u202egnp.exe\u2066\u0000\u0085\ufeff')).toBe(
      'a\\x1b[31m\\u202egnp.exe\\u2066\\x00\\x85\\ufeff',
    );
  });

  it('lone surrogates are seen, pairs are left', () => {
    expect(visible('\ud800x 😀 \udc00')).toBe('\\ud800x 😀 \\udc00');
  });

  it('ordinary names of any script pass', () => {
    for (const text of ['photos', 'Фото 2026', 'שלום', 'تجربة', '写真', 'naïve café', 'क्‍ष'])
      expect(visible(text)).toBe(text);
  });

  it('4 KB are cut in the middle, both ends kept', () => {
    const cutText = cut(`start${'x'.repeat(4096)}end.txt`, 60);
    expect([...cutText].length).toBeLessThanOrEqual(60);
    expect(cutText).toMatch(/^start.*…x*end\.txt$/);
  });

  it('a name is a piece of its sentence, and cannot close its own mark', () => {
    const sentence = `Type ${name('a\u2069b\u2068c')} to confirm`;
    expect(pieces(sentence)).toEqual([
      { text: 'Type ', isName: false },
      { text: 'a\\u2069b\\u2068c', isName: true },
      { text: ' to confirm', isName: false },
    ]);
    expect(plain(sentence)).toBe('Type a\\u2069b\\u2068c to confirm');
  });
});
