import { describe, expect, it } from '@jest/globals';
import type { SwapVolume } from './journal/record.ts';
import { operatorGuide } from './operator-guide.ts';
import type { VolumeView } from './swap/volume-view.ts';

const tree = (inode: number) => ({ fileSystem: 'uuid:f', inode: `${inode}`, birthTimeNs: '1' });
const volume = (name: string, more: Partial<SwapVolume> = {}): SwapVolume => ({
  index: 0,
  target: `/${name}`,
  parent: '/srv/my app',
  livePath: `/srv/my app/${name}`,
  oldPath: `/srv/my app/.${name}.restore-tx.old`,
  old: tree(1),
  stagingPath: `/srv/my app/.${name}.restore-tx-1.new`,
  staging: tree(2),
  ...more,
});
const lines = (views: VolumeView[]): string[] => operatorGuide(views, 'tx').commands.map((one) => one.command);

describe('operator guide', () => {
  it('of one volume swapped and one not, whole: back to the old data', () => {
    const data = volume('data');
    const files = volume('files');
    const guide = operatorGuide(
      [
        { volume: data, live: 'new', oldAt: data.oldPath, newAt: data.livePath },
        { volume: files, live: 'old', oldAt: files.livePath, newAt: files.stagingPath },
      ],
      'tx',
    );
    expect(guide).toEqual({
      volumes: [
        { target: '/data', livePath: data.livePath, live: 'new', otherPath: data.oldPath, other: 'old' },
        { target: '/files', livePath: files.livePath, live: 'old', otherPath: files.stagingPath, other: 'new' },
      ],
      commands: [
        { summary: 'What holds /data: mounts at or below its directory', command: "findmnt -R --target '/srv/my app'" },
        {
          summary: "Containers that name /data's directory; stop each that runs with docker stop",
          command: "docker ps --all --filter 'volume=/srv/my app/data'",
        },
        {
          summary: "Move away what stands at /srv/my app/data (the snapshot's data)",
          command: "mv -nT -- '/srv/my app/data' '/srv/my app/.data.restore-tx-1.new'",
        },
        {
          summary: 'Put the data from before the restore of /data back in place',
          command: "mv -nT -- '/srv/my app/.data.restore-tx.old' '/srv/my app/data'",
        },
        { summary: 'Make it durable', command: "sync -f '/srv/my app'" },
        {
          summary: 'What holds /files: mounts at or below its directory',
          command: "findmnt -R --target '/srv/my app'",
        },
        {
          summary: "Containers that name /files's directory; stop each that runs with docker stop",
          command: "docker ps --all --filter 'volume=/srv/my app/files'",
        },
      ],
    });
  });

  it('moves a foreign directory aside and deletes nothing', () => {
    const data = volume('data');
    const moves = lines([{ volume: data, live: 'unknown', oldAt: data.oldPath, newAt: data.stagingPath }]);
    expect(moves).toContain("mv -nT -- '/srv/my app/data' '/srv/my app/data.found-tx'");
    expect(moves.join('\n')).not.toMatch(/\brm\b|rmdir|-delete/);
  });

  it('goes forward where an old tree is nowhere, and says where to look when neither way is open', () => {
    const data = volume('data');
    const forward = lines([{ volume: data, live: 'absent', oldAt: null, newAt: data.stagingPath }]);
    expect(forward).toContain("mv -nT -- '/srv/my app/.data.restore-tx-1.new' '/srv/my app/data'");
    const lost = lines([{ volume: data, live: 'absent', oldAt: null, newAt: null }]);
    expect(lost.filter((line) => line.startsWith('find '))).toEqual([
      "find '/srv/my app'/.. -xdev -inum 1 -type d",
      "find '/srv/my app'/.. -xdev -inum 2 -type d",
    ]);
    expect(lost.some((line) => line.startsWith('mv'))).toBe(false);
  });

  it('of a volume that was absent moves the new tree away and puts nothing in its place', () => {
    const data = volume('data', { old: null });
    expect(
      lines([{ volume: data, live: 'new', oldAt: null, newAt: data.livePath }]).filter((l) => l.startsWith('mv')),
    ).toEqual(["mv -nT -- '/srv/my app/data' '/srv/my app/.data.restore-tx-1.new'"]);
  });

  it('quotes names so that a shell takes them as they are', () => {
    const odd = volume("it's $(rm -rf ~)", { parent: "/a'b" });
    const [first] = lines([{ volume: odd, live: 'old', oldAt: odd.livePath, newAt: null }]);
    expect(first).toBe(`findmnt -R --target '/a'\\''b'`);
  });
});
