import { describe, expect, it } from '@jest/globals';
import type { FsPort } from '../../ports/fs-port.ts';
import type { PersistenceModel } from './crash-content.ts';
import { CrashFs } from './crash-fs.ts';
import { powerCuts } from './power-cuts.ts';

/** `live` holds OLD, durable. */
async function withLive(model: PersistenceModel): Promise<CrashFs> {
  const fs = CrashFs.withDisks(['d'], model);
  await fs.mkdir('/d/live', 0o755);
  await write(fs, '/d/live/f', 'OLD');
  fs.settle();
  return fs;
}

async function write(fs: FsPort, file: string, content: string, how: 'synced' | 'unsynced' = 'unsynced') {
  const fd = await fs.create(file);
  await fs.write(fd, 0, Buffer.from(content));
  if (how === 'synced') await fs.sync(fd);
  await fs.close(fd);
}

async function swap(fs: FsPort): Promise<void> {
  await fs.rename('/d/live', '/d/old');
  await fs.rename('/d/new', '/d/live');
}

/** What may be after a power cut: content of the file in `live`, `old` and `new`, `-` for nothing there. */
async function outcomes(fs: CrashFs): Promise<string[]> {
  const seen = new Set<string>();
  for (const disk of powerCuts(fs.disks.get('d')!, null)) {
    const after = new CrashFs([disk]);
    const parts: string[] = [];
    for (const name of ['live', 'old', 'new']) {
      const bytes = await after.readFile(`/d/${name}/f`).catch(() => null);
      const there = await after.stat(`/d/${name}`);
      if (there !== null) parts.push(`${name}=${bytes === null ? '-' : bytes.toString().replaceAll('\0', '0')}`);
    }
    seen.add(parts.join(' '));
  }
  return [...seen].sort();
}

/** Each row of the table in facts/crash-safety.md section 1, and what ext4 and xfs showed after the cut: one of the simulation's outcomes. */
const rows: readonly {
  readonly name: string;
  readonly act: (fs: FsPort) => Promise<void>;
  readonly measured: readonly string[];
  /** What no file system may show, in either model. */
  readonly never: RegExp;
}[] = [
  {
    name: 'mkdir new, write, 2 renames, nothing synced: nothing happened',
    act: async (fs) => {
      await fs.mkdir('/d/new', 0o755);
      await write(fs, '/d/new/f', 'NEW');
      await swap(fs);
    },
    measured: ['live=OLD'],
    never: /^$/,
  },
  {
    name: 'fsync(file), 2 renames, no fsync of a directory: NEW is left over beside OLD',
    act: async (fs) => {
      await fs.mkdir('/d/new', 0o755);
      await write(fs, '/d/new/f', 'NEW', 'synced');
      await swap(fs);
    },
    measured: ['live=OLD new=NEW'],
    never: /=N?$|=N? /,
  },
  {
    name: 'no fsync of the file, 2 renames, fsync(parent): live is EMPTY, old kept',
    act: async (fs) => {
      await fs.mkdir('/d/new', 0o755);
      await write(fs, '/d/new/f', 'NEW');
      await fs.syncDirectory('/d/new');
      await swap(fs);
      await fs.syncDirectory('/d');
    },
    measured: ['live= old=OLD'],
    never: /^live=OLD/,
  },
  {
    name: 'file replaced by rename in place, unsynced, fsync(dir): NEW on ext4, EMPTY on xfs',
    act: async (fs) => {
      await write(fs, '/d/live/g', 'NEW');
      await fs.rename('/d/live/g', '/d/live/f');
      await fs.syncDirectory('/d/live');
    },
    measured: ['live=NEW', 'live='],
    never: /OLD/,
  },
  {
    name: 'fsync(file), fsync(new), fsync(parent), renames, fsync(parent): NEW',
    act: async (fs) => {
      await fs.mkdir('/d/new', 0o755);
      await write(fs, '/d/new/f', 'NEW', 'synced');
      await fs.syncDirectory('/d/new');
      await fs.syncDirectory('/d');
      await swap(fs);
      await fs.syncDirectory('/d');
    },
    measured: ['live=NEW old=OLD'],
    never: /live=OLD|live=N?$|live=N? /,
  },
  {
    name: 'syncfs once instead of one fsync a file: NEW',
    act: async (fs) => {
      await fs.mkdir('/d/new', 0o755);
      await write(fs, '/d/new/f', 'NEW');
      await fs.syncFileSystem('/d');
      await swap(fs);
      await fs.syncDirectory('/d');
    },
    measured: ['live=NEW old=OLD'],
    never: /live=OLD|live=N?$|live=N? /,
  },
];

describe.each(['ordered', 'weak'] as const)('CrashFs, %s: power cuts', (model) => {
  it.each(rows)('$name', async ({ act, measured, never }) => {
    const fs = await withLive(model);
    await act(fs);
    const seen = await outcomes(fs);
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
      await fs.mkdir('/d/new', 0o755);
      await write(fs, '/d/new/f', 'NEW');
      await fs.syncFileSystem('/d');
      await swap(fs);
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
