import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { temporaryFolders } from '../testing/temporary.ts';
import { exclusively } from './exclusive.ts';

const temporaryFolder = temporaryFolders();
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

describe('exclusively', () => {
  it('lets one in at a time and tells the others once that they wait', async () => {
    const file = path.join(temporaryFolder(), 'lock');
    let [inside, most, waited] = [0, 0, 0];
    const work = () =>
      exclusively(
        file,
        async () => {
          most = Math.max(most, ++inside);
          await pause(300);
          inside--;
        },
        () => waited++,
      );
    await Promise.all([work(), work(), work()]);
    expect(most).toBe(1);
    expect(waited).toBe(2);
  });

  it('is free again after work that failed', async () => {
    const file = path.join(temporaryFolder(), 'lock');
    await expect(exclusively(file, () => Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect(await exclusively(file, async () => 'in')).toBe('in');
  });

  it('is free at once when its holder is killed', async () => {
    const file = path.join(temporaryFolder(), 'lock');
    const holder = spawn(
      process.execPath,
      [
        '--input-type=module-typescript',
        '-e',
        `import { exclusively } from ${JSON.stringify(path.join(import.meta.dirname, 'exclusive.ts'))};
         await exclusively(${JSON.stringify(file)}, async () => { console.log('in'); await new Promise((r) => setTimeout(r, 60000)); });`,
      ],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    await once(holder.stdout, 'data');
    let waited = false;
    const entered = exclusively(
      file,
      async () => 'in',
      () => (waited = true),
    );
    await pause(300);
    expect(waited).toBe(true);
    holder.kill('SIGKILL');
    expect(await entered).toBe('in');
  });
});
