import { describe, expect, it } from '@jest/globals';
import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { linesToPutBack } from './put-back.ts';

const words = { aside: (place: string) => `aside ${place}`, back: (place: string) => `back ${place}` };

describe('the lines that put kept folders back', () => {
  it.each(['data', 'it\'s $HOME `id` "mine"', '-rf', 'два слова'])('run as they are shown: %s', (name) => {
    const folder = mkdtempSync(path.join(tmpdir(), 'tf-put-back-'));
    try {
      const livePath = path.join(folder, name);
      const kept = path.join(folder, `.${name}.restore-abc.old`);
      for (const [place, token] of [
        [livePath, 'new'],
        [kept, 'old'],
      ] as const) {
        mkdirSync(place);
        writeFileSync(path.join(place, token), '');
      }
      const lines = linesToPutBack([{ target: '/data', livePath, path: kept }], words);
      expect(lines.map(({ summary }) => summary)).toEqual([`aside ${livePath}`, `back ${livePath}`]);
      for (const { command } of lines) execFileSync('sh', ['-c', command]);
      expect(readdirSync(livePath)).toEqual(['old']);
      expect(readdirSync(`${livePath}.restored`)).toEqual(['new']);
      // A second run overwrites nothing.
      for (const { command } of lines) {
        try {
          execFileSync('sh', ['-c', command], { stdio: 'ignore' });
        } catch {
          // Some mv say that there was nothing to do.
        }
      }
      expect([existsSync(path.join(`${livePath}.restored`, 'new')), readdirSync(folder).length]).toEqual([true, 2]);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it.each(['data', 'it\'s $HOME `id` "mine"', 'два слова'])('run inside a mount point: %s', (name) => {
    const folder = mkdtempSync(path.join(tmpdir(), 'tf-put-back-'));
    try {
      const livePath = path.join(folder, name);
      const kept = path.join(livePath, '.restore-abc.old');
      const another = path.join(livePath, '.restore-another.old');
      for (const [place, token] of [
        [livePath, 'both'],
        [livePath, '-new'],
        [kept, 'both'],
        [kept, '.old'],
        [another, 'other'],
      ] as const) {
        mkdirSync(place, { recursive: true });
        writeFileSync(path.join(place, token), place);
      }
      chmodSync(livePath, 0o755);
      chmodSync(kept, 0o750);
      const lines = linesToPutBack([{ target: '/data', livePath, path: kept }], words);
      for (const { command } of lines) execFileSync('sh', ['-c', command]);
      const after = ['.old', '.restore-abc.old', '.restore-another.old', 'both', 'restored'];
      expect(readdirSync(livePath)).toEqual(after);
      expect(readFileSync(path.join(livePath, 'both'), 'utf8')).toBe(kept);
      expect(readdirSync(path.join(livePath, 'restored'))).toEqual(['-new', 'both']);
      expect([readdirSync(kept), readdirSync(another)]).toEqual([[], ['other']]);
      expect(statSync(livePath).mode & 0o777).toBe(0o750);
      // A second run moves nothing.
      for (const { command } of lines) spawnSync('sh', ['-c', command], { stdio: 'ignore' });
      expect(readdirSync(livePath)).toEqual(after);
      expect(readFileSync(path.join(livePath, 'both'), 'utf8')).toBe(kept);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
