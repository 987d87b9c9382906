import path from 'node:path';
import { naming } from './fs-error.ts';
import type { FsPort } from './fs-port.ts';

/** Writes a small file so that it is whole and durable, or not there. */
export async function writeDurably(fs: FsPort, file: string, content: string): Promise<void> {
  const unfinished = `${file}.tmp`;
  await naming('write', file, async () => {
    if ((await fs.stat(unfinished)) !== null) await fs.unlink(unfinished);
    const fd = await fs.create(unfinished);
    try {
      await fs.write(fd, 0, Buffer.from(content));
      await fs.sync(fd);
    } finally {
      await fs.close(fd).catch(() => undefined);
    }
    await fs.rename(unfinished, file);
    await fs.syncDirectory(path.dirname(file));
  });
}

export async function unlinkIfThere(fs: FsPort, file: string): Promise<void> {
  if ((await naming('stat', file, () => fs.stat(file))) !== null) await naming('unlink', file, () => fs.unlink(file));
}

/** Makes a folder and its missing parents below `root`, 0700, durable. */
export async function makeFolder(fs: FsPort, root: string, folder: string): Promise<void> {
  if (folder !== root) await makeFolder(fs, root, path.dirname(folder));
  if ((await fs.stat(folder)) !== null) return;
  await naming('mkdir', folder, async () => {
    await fs.mkdir(folder, 0o700);
    await fs.syncDirectory(path.dirname(folder));
  });
}
