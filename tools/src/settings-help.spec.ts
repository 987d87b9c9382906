import { SETTINGS } from '@tiny-forge/contracts/settings';
import { describe, expect, it } from '@jest/globals';
import { settingsHelp } from './settings-help.ts';

describe('npm start -- --help', () => {
  const help = settingsHelp(SETTINGS);

  it.each(SETTINGS.map(({ name, defaultText, meaning }) => [name, defaultText, meaning]))(
    'lists %s',
    (name, defaultText, meaning) => {
      const from = help.indexOf(`  ${name} `);
      expect(from).toBeGreaterThan(-1);
      const entry = help.slice(from + name.length + 2).split(/\n {2}\S/)[0] ?? '';
      expect(entry.replace(/\s+/g, ' ').trim()).toBe(`${meaning} default: ${defaultText}`);
    },
  );

  it('fits a terminal', () => {
    expect(help.split('\n').filter((line) => line.length > 100)).toEqual([]);
  });
});
