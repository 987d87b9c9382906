import { describe, expect, it } from '@jest/globals';
import { standingAt } from '../identity/tree-identity.ts';
import type { SwapVolume } from '../journal/record.ts';
import type { TreeIdentity } from '../restore-engine.ts';
import { CrashFs } from '../testing/crash/crash-fs.ts';
import { writeWhole } from '../testing/json-archive-port.ts';
import { innerBack, innerForward, innerSide, isInner, type InnerVolume } from './inner-swap.ts';
import { prepareInner } from './prepare-inner.ts';

const OLD = '/m/.restore-aaaaaaaaaaaaaaaa.old';
const NEW = '/m/.restore-aaaaaaaaaaaaaaaa-1.new';

const identityOf = async (fs: CrashFs, path: string): Promise<TreeIdentity> => {
  const standing = await standingAt(fs, path);
  if (standing.kind !== 'tree' || standing.identity === null) throw new Error(`no tree at ${path}`);
  return standing.identity;
};
const put = (fs: CrashFs, path: string, text: string): Promise<void> => writeWhole(fs, path, Buffer.from(text));
const read = async (fs: CrashFs, path: string): Promise<string> => (await fs.readFile(path)).toString();

/** `a` on both sides, `b` of before, `c` of the snapshot. */
async function build(): Promise<{ readonly fs: CrashFs; readonly planned: SwapVolume }> {
  const fs = CrashFs.withDisks(['m'], 'ordered');
  await put(fs, '/m/a', 'old a');
  await fs.mkdir('/m/b', 0o755);
  await fs.mkdir(NEW, 0o700);
  await put(fs, `${NEW}/a`, 'new a');
  await put(fs, `${NEW}/c`, 'new c');
  const planned: SwapVolume = {
    index: 0,
    target: '/data',
    parent: '/m',
    livePath: '/m',
    oldPath: OLD,
    old: null,
    stagingPath: NEW,
    staging: await identityOf(fs, NEW),
    inner: { root: await identityOf(fs, '/m'), oldEntries: [], newEntries: [], oldRoot: null, newRoot: null },
  };
  return { fs, planned };
}
async function ready(): Promise<{ readonly fs: CrashFs; readonly volume: InnerVolume }> {
  const { fs, planned } = await build();
  const [volume] = await prepareInner(fs, [planned]);
  if (!volume || !isInner(volume)) throw new Error('no inner volume');
  return { fs, volume };
}
const visible = async (fs: CrashFs): Promise<string[]> =>
  (await fs.readDirectory('/m')).filter((name) => !name.startsWith('.'));

describe('a swap inside a mount point', () => {
  it('moves forward and back, each as often as one likes', async () => {
    const { fs, volume } = await ready();
    expect(await innerSide(fs, volume)).toBe('old');
    for (let n = 0; n < 2; n++) {
      await innerForward(fs, volume);
      expect([await visible(fs), await read(fs, '/m/a'), await innerSide(fs, volume)]).toEqual([
        ['a', 'c'],
        'new a',
        'new',
      ]);
      expect(await fs.readDirectory(OLD)).toEqual(['a', 'b']);
    }
    for (let n = 0; n < 2; n++) {
      await innerBack(fs, volume, false);
      expect([await visible(fs), await read(fs, '/m/a'), await innerSide(fs, volume)]).toEqual([
        ['a', 'b'],
        'old a',
        'old',
      ]);
      expect(await fs.readDirectory(NEW)).toEqual(['a', 'c']);
    }
  });

  it('finds its own trees under any name, and takes none of them for content', async () => {
    const { fs, volume } = await ready();
    await innerForward(fs, volume);
    await fs.rename(OLD, '/m/somebody moved it');
    await fs.rename(NEW, '/m/and this');
    await innerBack(fs, volume, true);
    expect(await visible(fs)).toEqual(['a', 'and this', 'b', 'somebody moved it']);
    expect(await fs.readDirectory('/m/and this')).toEqual(['a', 'c']);
  });

  it('never replaces what is in the way, on either side', async () => {
    const forward = await ready();
    await put(forward.fs, '/m/c', 'mine');
    await expect(innerForward(forward.fs, forward.volume)).rejects.toMatchObject({
      code: 'DATA_CHANGED',
      params: { path: '/m/c' },
    });
    expect(await read(forward.fs, '/m/c')).toBe('mine');
    await innerBack(forward.fs, forward.volume, false);
    expect(await visible(forward.fs)).toEqual(['a', 'b', 'c']);

    const back = await ready();
    await innerForward(back.fs, back.volume);
    await put(back.fs, '/m/b', 'mine');
    await expect(innerBack(back.fs, back.volume, false)).rejects.toMatchObject({ params: { path: '/m/b' } });
    expect(await read(back.fs, '/m/b')).toBe('mine');
    expect(await innerSide(back.fs, back.volume)).toBe('unknown');
  });

  it('takes an entry of the same name for what it is: another one', async () => {
    const { fs, volume } = await ready();
    await fs.unlink('/m/a');
    await put(fs, '/m/a', 'replaced since');
    await expect(innerForward(fs, volume)).rejects.toMatchObject({ code: 'DATA_CHANGED' });
    expect(await read(fs, '/m/a')).toBe('replaced since');
  });

  it('takes what an app made in the root with the side it ran on', async () => {
    const { fs, volume } = await ready();
    await innerForward(fs, volume);
    await put(fs, '/m/made', 'by the app');
    await fs.unlink('/m/c');
    expect(await innerSide(fs, volume)).toBe('new');
    await innerBack(fs, volume, true);
    expect(await visible(fs)).toEqual(['a', 'b']);
    expect(await fs.readDirectory(NEW)).toEqual(['a', 'made']);
  });

  it('takes over the empty old tree of an earlier try, and no full one', async () => {
    const { fs, planned } = await build();
    await prepareInner(fs, [planned]);
    await prepareInner(fs, [planned]);
    await put(fs, `${OLD}/mine`, 'mine');
    await expect(prepareInner(fs, [planned])).rejects.toMatchObject({ code: 'DATA_CHANGED', params: { path: OLD } });
  });

  it('takes no archive that brings a name of ours', async () => {
    const { fs, planned } = await build();
    await put(fs, `${NEW}/.restore-bbbbbbbbbbbbbbbb.old`, 'brought');
    await expect(prepareInner(fs, [planned])).rejects.toMatchObject({ code: 'DATA_CHANGED' });
  });

  it('touches nothing where another file system is mounted', async () => {
    const { fs, volume } = await ready();
    const other = { ...volume, inner: { ...volume.inner, root: { ...volume.inner.root, fileSystem: 'uuid:other' } } };
    for (const move of [innerForward(fs, other), innerBack(fs, other, false)])
      await expect(move).rejects.toMatchObject({ code: 'IO_ERROR', retryable: true });
    expect(await innerSide(fs, other)).toBe('unknown');
    expect(await visible(fs)).toEqual(['a', 'b']);
  });
});
