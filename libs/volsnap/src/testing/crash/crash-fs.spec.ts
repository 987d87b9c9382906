import { describe, expect, it } from '@jest/globals';
import type { FsPort } from '../../ports/fs-port.ts';
import type { PersistenceModel } from './crash-content.ts';
import { CrashFs } from './crash-fs.ts';
import { makeLive, outcomes, PERSISTENCE_ROWS, simulated } from './persistence-rows.ts';

/** `live` holds OLD, durable. */
async function withLive(model: PersistenceModel): Promise<CrashFs> {
  const fs = CrashFs.withDisks(['d'], model);
  await makeLive(fs, '/d');
  fs.settle();
  return fs;
}

async function makeNew(fs: FsPort): Promise<void> {
  await fs.mkdir('/d/new', 0o755);
  const fd = await fs.create('/d/new/f');
  await fs.write(fd, 0, Buffer.from('NEW'));
  await fs.close(fd);
  await fs.syncFileSystem('/d');
}

describe.each(['ordered', 'weak'] as const)('CrashFs, %s: power cuts', (model) => {
  it.each(PERSISTENCE_ROWS)('$name', async (row) => {
    const { measured, never } = row;
    const seen = await simulated(row, model);
    expect(seen).toEqual(expect.arrayContaining([...measured]));
    for (const one of seen) expect(one).not.toMatch(never);
  });

  it('a failed fsync loses what it was to sync, also after a second fsync that succeeds; writing again keeps it', async () => {
    const fs = await withLive(model);
    const fd = await fs.open('/d/live/f');
    await fs.write(fd, 0, Buffer.from('NEW'));
    fs.loseContentOf(fd);
    await fs.sync(fd);
    expect((await fs.readFile('/d/live/f')).toString()).toBe('NEW');
    expect(await outcomes(fs)).toEqual(['live=OLD']);
    await fs.write(fd, 0, Buffer.from('NEW'));
    await fs.sync(fd);
    expect(await outcomes(fs)).toEqual(['live=NEW']);
  });
});

describe('CrashFs', () => {
  it('keeps changes of names in their order in the ordered model, in any in the weak one', async () => {
    const seen = async (model: PersistenceModel): Promise<string[]> => {
      const fs = await withLive(model);
      await makeNew(fs);
      await fs.rename('/d/live', '/d/old');
      await fs.rename('/d/new', '/d/live');
      return outcomes(fs);
    };
    expect(await seen('ordered')).toEqual(['live=NEW old=OLD', 'live=OLD new=NEW', 'old=OLD new=NEW']);
    // The second rename without the first: the old tree has no name any more.
    expect(await seen('weak')).toEqual(['live=NEW', 'live=NEW old=OLD', 'live=OLD new=NEW', 'old=OLD new=NEW']);
  });

  it('tears a rename from one directory to another in the weak model only', async () => {
    const seen = async (model: PersistenceModel): Promise<string[]> => {
      const fs = await withLive(model);
      await fs.mkdir('/d/new', 0o755);
      fs.settle();
      await fs.rename('/d/live/f', '/d/new/f');
      return outcomes(fs);
    };
    expect(await seen('ordered')).toEqual(['live=- new=OLD', 'live=OLD new=-']);
    expect(await seen('weak')).toEqual(['live=- new=-', 'live=- new=OLD', 'live=OLD new=-', 'live=OLD new=OLD']);
  });

  it('gives a freed inode number to the next directory, with another birth time', async () => {
    const fs = await withLive('ordered');
    await fs.mkdir('/d/a', 0o700);
    const first = await fs.stat('/d/a');
    await fs.rmdir('/d/a');
    await fs.mkdir('/d/b', 0o700);
    const second = await fs.stat('/d/b');
    expect(second?.inode).toBe(first?.inode);
    expect(second?.birthTimeNs).not.toBe(first?.birthTimeNs);
  });
});
