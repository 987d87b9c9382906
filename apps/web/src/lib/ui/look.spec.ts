import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { BLINDNESS, type Rgb, contrast, difference, labOf, parseHex } from '../../testing/colour.ts';

/** UX5: the look recomputed from the CSS that is shipped. */
const web = path.resolve(import.meta.dirname, '../../..');
const css = fs.readFileSync(path.join(web, 'static/theme.css'), 'utf8');

function tokens(selector: string): Map<string, string> {
  const start = css.indexOf(`${selector} {`);
  const block = css.slice(start, css.indexOf('}', start));
  return new Map([...block.matchAll(/--([\w-]+):\s*(#[0-9a-f]{6})/g)].map((match) => [match[1] ?? '', match[2] ?? '']));
}
const themes = { light: tokens(':root'), dark: tokens(":root[data-theme='dark']") };
type Theme = keyof typeof themes;
const colour = (theme: Theme, token: string): Rgb => {
  const value = themes[theme].get(token);
  if (value === undefined) throw new Error(`${theme} has no --${token}`);
  return parseHex(value);
};
const GROUNDS = ['bg', 'surface', 'sunken'];
/** Token, the tint it also stands on, the ratio that was agreed, for light and dark. */
const AGREED: readonly (readonly [string, string | undefined, number, number])[] = [
  ['text', undefined, 13.5, 11.4],
  ['muted', undefined, 5.4, 6.1],
  ['neutral', 'neutral-tint', 6.6, 6.6],
  ['run', 'run-tint', 6.6, 5.8],
  ['ask', 'ask-tint', 5.0, 9.0],
  ['ok', 'ok-tint', 5.3, 10.6],
  ['bad', 'bad-tint', 7.7, 5.7],
  ['border', undefined, 3.6, 4.3],
];

describe.each(['light', 'dark'] as const)('UX5: %s', (theme) => {
  it.each(AGREED)('--%s keeps its contrast', (token, tint, light, dark) => {
    const worst = Math.min(
      ...[...GROUNDS, ...(tint === undefined ? [] : [tint])].map((ground) =>
        contrast(colour(theme, token), colour(theme, ground)),
      ),
    );
    const agreed = theme === 'light' ? light : dark;
    // The agreed figures are rounded to one digit.
    expect(Math.round(worst * 10) / 10).toBeGreaterThanOrEqual(agreed);
  });

  it('--act is read on its fill', () => {
    expect(contrast(colour(theme, 'act'), colour(theme, 'act-fill'))).toBeGreaterThanOrEqual(
      theme === 'light' ? 9.3 : 6.3,
    );
  });

  it.each(['run', 'act-fill'])('a label of the surface colour is read on --%s', (fill) => {
    expect(contrast(colour(theme, 'surface'), colour(theme, fill))).toBeGreaterThanOrEqual(4.5);
  });

  it('text of any tone is read on any tint that it can meet', () => {
    for (const tint of ['run-tint', 'ask-tint', 'ok-tint', 'bad-tint', 'neutral-tint'])
      expect(contrast(colour(theme, 'text'), colour(theme, tint))).toBeGreaterThanOrEqual(4.5);
  });

  it.each(Object.keys(BLINDNESS) as (keyof typeof BLINDNESS)[])('tones stay apart, colour blindness: %s', (kind) => {
    const tones = ['neutral', 'run', 'ask', 'ok', 'bad'];
    for (const [index, one] of tones.entries()) {
      for (const other of tones.slice(index + 1)) {
        const apart = difference(
          labOf(colour(theme, one), BLINDNESS[kind]),
          labOf(colour(theme, other), BLINDNESS[kind]),
        );
        expect({ one, other, apart: apart >= 10.75 }).toEqual({ one, other, apart: true });
      }
    }
  });
});

describe('one source of colour', () => {
  const files = fs
    .readdirSync(path.join(web, 'src'), { recursive: true, encoding: 'utf8' })
    .filter((file) => /\.(svelte|css)$/.test(file));

  it('no component and no other sheet names a colour', () => {
    const named = files.filter((file) => {
      const text = fs.readFileSync(path.join(web, 'src', file), 'utf8');
      const style = file.endsWith('.css') ? text : (/<style>([\s\S]*)<\/style>/.exec(text)?.[1] ?? '');
      return /#[0-9a-f]{3,8}\b|rgba?\(|hsla?\(|oklch\(/i.test(style);
    });
    expect(named).toEqual([]);
  });

  it('every token that is used exists in both themes', () => {
    const own = new Set(['sans', 'mono', 'radius', 'rail', 'bar', 'tone']);
    const used = new Set(
      files.flatMap((file) =>
        [...fs.readFileSync(path.join(web, 'src', file), 'utf8').matchAll(/var\(--([\w-]+)/g)].map(
          (match) => match[1] ?? '',
        ),
      ),
    );
    for (const token of used) {
      if (own.has(token)) continue;
      expect({ token, known: css.split(`--${token}:`).length - 1 }).toEqual({ token, known: 2 });
    }
  });

  it('type and space keep to their scales', () => {
    const sizes = files.flatMap((file) =>
      [...fs.readFileSync(path.join(web, 'src', file), 'utf8').matchAll(/font-size:\s*(\d+)px/g)].map((match) =>
        Number(match[1]),
      ),
    );
    expect([...new Set(sizes)].filter((size) => ![12, 14, 16, 20, 28].includes(size))).toEqual([]);
  });
});
