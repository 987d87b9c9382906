import { describe, expect, it } from '@jest/globals';
import { en } from './en.ts';
import { Format } from './format.ts';
import { ru } from './ru.ts';

const inEnglish = new Format('en', 'UTC', en.units);
const inRussian = new Format('ru', 'UTC', ru.units);
const read = (text: string) => text.replaceAll('\u00a0', ' ');
const at = Date.UTC(2026, 10, 23, 2, 14, 31);
const MIN = 60_000;

describe('formats', () => {
  it('time: how long ago and when', () => {
    expect(read(inEnglish.full(at, at + 12 * MIN))).toBe('12 min ago · 23 Nov, 02:14');
    expect(read(inRussian.full(at, at + 12 * MIN))).toBe('12 мин назад · 23 нояб., 02:14');
    expect(read(inEnglish.relative(at + 4 * MIN, at))).toBe('in 4 min');
    expect(read(inEnglish.moment(at, Date.UTC(2027, 0, 1)))).toBe('23 Nov 2026, 02:14');
  });

  it('the clock has seconds, and midnight is 00', () => {
    expect(inEnglish.clock(at)).toBe('02:14:31');
    expect(inRussian.clock(Date.UTC(2026, 0, 1))).toBe('00:00:00');
  });

  it('names the zone in the reader’s language', () => {
    expect(new Format('en', 'Europe/Berlin', en.units).zoneName).toMatch(/^Central European (Standard|Summer) Time$/);
    expect(new Format('ru', 'Europe/Berlin', ru.units).zoneName).toMatch(/^[А-Яа-я ,]+$/);
    expect(new Format('ru', 'UTC', ru.units).zoneName).toBe('UTC');
  });

  it('follows the zone', () => {
    expect(new Format('en', 'Europe/Berlin', en.units).clock(at)).toBe('03:14:31');
  });

  it.each([
    [0, '0 B', '0 Б'],
    [1023, '1,023 B', '1 023 Б'],
    [1024, '1 KiB', '1 КиБ'],
    [1.41 * 1024 ** 3, '1.41 GiB', '1,41 ГиБ'],
    [760 * 1024 ** 2, '760 MiB', '760 МиБ'],
    [1023.4 * 1024 ** 2, '1,023 MiB', '1 023 МиБ'],
  ])('%d bytes', (bytes, english, russian) => {
    expect(read(inEnglish.bytes(bytes))).toBe(english);
    expect(read(inRussian.bytes(bytes))).toBe(russian);
  });

  it.each([
    [900, '0.9 s', '0,9 с'],
    [41_200, '41.2 s', '41,2 с'],
    [59_990, '1 min 00 s', '1 мин 00 с'],
    [185_000, '3 min 05 s', '3 мин 05 с'],
    [2 * 3_600_000 + 7 * MIN, '2 h 07 min', '2 ч 07 мин'],
    [76 * 3_600_000, '3 d 4 h', '3 д 4 ч'],
  ])('%d ms', (ms, english, russian) => {
    expect(read(inEnglish.duration(ms, 'tenths'))).toBe(english);
    expect(read(inRussian.duration(ms, 'tenths'))).toBe(russian);
  });

  it('a bound is never rounded down', () => {
    expect(read(inEnglish.bound(75_000))).toBe('75 s');
    expect(read(inEnglish.bound(120_000))).toBe('2 min');
    expect(read(inEnglish.bound(150_000))).toBe('2 min 30 s');
  });

  it('percent, with the space of the language, never 100% too early', () => {
    expect(inEnglish.percent(0.62)).toBe('62%');
    expect(inRussian.percent(0.62)).toBe('62\u00a0%');
    expect(inEnglish.percent(0.9999)).toBe('99%');
  });

  it('countdown', () => {
    expect(inEnglish.countdown(252_000)).toBe('4:12');
    expect(inEnglish.countdown(-5)).toBe('0:00');
    expect(inEnglish.countdown(3_661_000)).toBe('1:01:01');
  });

  it('holds together: no space that could break', () => {
    for (const text of [
      inRussian.bytes(5e9),
      inRussian.duration(185_000),
      inRussian.relative(0, 9e6),
      inEnglish.moment(at, at),
    ]) {
      expect(text).not.toMatch(/[ \u202f]/);
    }
  });
});
