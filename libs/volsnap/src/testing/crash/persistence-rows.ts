import type { FsPort } from '../../ports/fs-port.ts';
import type { PersistenceModel } from './crash-content.ts';
import { CrashFs } from './crash-fs.ts';
import { powerCuts } from './power-cuts.ts';

/** Makes `live` with the content OLD in `root`; the caller makes it durable. */
export async function makeLive(fs: FsPort, root: string): Promise<void> {
  await fs.mkdir(`${root}/live`, 0o755);
  await write(fs, `${root}/live/f`, 'OLD');
}

async function write(fs: FsPort, file: string, content: string, how: 'synced' | 'unsynced' = 'unsynced') {
  const fd = await fs.create(file);
  await fs.write(fd, 0, Buffer.from(content));
  if (how === 'synced') await fs.sync(fd);
  await fs.close(fd);
}

async function swap(fs: FsPort, root: string): Promise<void> {
  await fs.rename(`${root}/live`, `${root}/old`);
  await fs.rename(`${root}/new`, `${root}/live`);
}

/** What stands in `root`: content of the file in `live`, `old` and `new`; `-` for a directory without it. */
export async function standing(fs: FsPort, root: string): Promise<string> {
  const parts: string[] = [];
  for (const name of ['live', 'old', 'new']) {
    if ((await fs.stat(`${root}/${name}`)) === null) continue;
    const bytes = await fs.readFile(`${root}/${name}/f`).catch(() => null);
    parts.push(`${name}=${bytes === null ? '-' : bytes.toString().replaceAll('\0', '0')}`);
  }
  return parts.join(' ');
}

/** All that the simulation may leave after a power cut now. */
export async function outcomes(fs: CrashFs): Promise<string[]> {
  const seen = new Set<string>();
  for (const disk of powerCuts(fs.disks.get('d')!, null)) seen.add(await standing(new CrashFs([disk]), '/d'));
  return [...seen].sort();
}

/** Each row of the table in facts/crash-safety.md section 1, and what ext4 and xfs showed after the cut: one of the simulation's outcomes. */
export const PERSISTENCE_ROWS: readonly {
  readonly name: string;
  readonly act: (fs: FsPort, root: string) => Promise<void>;
  readonly measured: readonly string[];
  /** What no file system may show, in either model. */
  readonly never: RegExp;
}[] = [
  {
    name: 'mkdir new, write, 2 renames, nothing synced: nothing happened',
    act: async (fs, root) => {
      await fs.mkdir(`${root}/new`, 0o755);
      await write(fs, `${root}/new/f`, 'NEW');
      await swap(fs, root);
    },
    measured: ['live=OLD'],
    never: /^$/,
  },
  {
    name: 'fsync(file), 2 renames, no fsync of a directory: NEW is left over beside OLD',
    act: async (fs, root) => {
      await fs.mkdir(`${root}/new`, 0o755);
      await write(fs, `${root}/new/f`, 'NEW', 'synced');
      await swap(fs, root);
    },
    measured: ['live=OLD new=NEW'],
    never: /=N?$|=N? /,
  },
  {
    name: 'no fsync of the file, 2 renames, fsync(parent): live is EMPTY, old kept',
    act: async (fs, root) => {
      await fs.mkdir(`${root}/new`, 0o755);
      await write(fs, `${root}/new/f`, 'NEW');
      await fs.syncDirectory(`${root}/new`);
      await swap(fs, root);
      await fs.syncDirectory(root);
    },
    measured: ['live= old=OLD'],
    never: /^live=OLD/,
  },
  {
    name: 'file replaced by rename in place, unsynced, fsync(dir): NEW on ext4, EMPTY on xfs',
    act: async (fs, root) => {
      await write(fs, `${root}/live/g`, 'NEW');
      await fs.rename(`${root}/live/g`, `${root}/live/f`);
      await fs.syncDirectory(`${root}/live`);
    },
    measured: ['live=NEW', 'live='],
    never: /OLD/,
  },
  {
    name: 'fsync(file), fsync(new), fsync(parent), renames, fsync(parent): NEW',
    act: async (fs, root) => {
      await fs.mkdir(`${root}/new`, 0o755);
      await write(fs, `${root}/new/f`, 'NEW', 'synced');
      await fs.syncDirectory(`${root}/new`);
      await fs.syncDirectory(root);
      await swap(fs, root);
      await fs.syncDirectory(root);
    },
    measured: ['live=NEW old=OLD'],
    never: /live=OLD|live=N?$|live=N? /,
  },
  {
    name: 'syncfs once instead of one fsync a file: NEW',
    act: async (fs, root) => {
      await fs.mkdir(`${root}/new`, 0o755);
      await write(fs, `${root}/new/f`, 'NEW');
      await fs.syncFileSystem(root);
      await swap(fs, root);
      await fs.syncDirectory(root);
    },
    measured: ['live=NEW old=OLD'],
    never: /live=OLD|live=N?$|live=N? /,
  },
];

/** The simulation after one row. */
export async function simulated(row: (typeof PERSISTENCE_ROWS)[number], model: PersistenceModel): Promise<string[]> {
  const fs = CrashFs.withDisks(['d'], model);
  await makeLive(fs, '/d');
  fs.settle();
  await row.act(fs, '/d');
  return outcomes(fs);
}
