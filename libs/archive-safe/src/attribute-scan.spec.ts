import { afterAll, afterEach, describe, expect, test } from '@jest/globals';
import { closeSync, openSync } from 'node:fs';
import path from 'node:path';
import { AttributeListing, AttributeScan } from './attribute-scan.ts';
import { createArchive, readIndex } from './index.ts';
import { emptyDir, openDescriptors, scratch, shell } from './testing/trees.ts';

const { dir: base, done } = scratch();
afterAll(done);
const searchPath = process.env['PATH'];
afterEach(() => void (process.env['PATH'] = searchPath));

// One ACL entry more than the mode has: user 1000 may read.
const acl = '0x0200000001000600ffffffff02000400e803000004000400ffffffff10000400ffffffff20000000ffffffff';
const capability = '0x0100000200040000000000000000000000000000';

async function scan(dir: string, exclude: string[] = []): Promise<unknown[]> {
  const root = openSync(dir, 'r');
  try {
    return await new AttributeScan([{ index: 3, root, exclude }]).notes();
  } finally {
    closeSync(root);
  }
}

test('I9 attributes of users, ACLs and capabilities are told, each once with how many have it', async () => {
  const tree = emptyDir(base, 'tree');
  shell(
    tree,
    `mkdir -p d/e skip; : > a; : > d/b; : > "$(printf 'd/\\\\back\\nline')"; ln -s a link; : > skip/x
     for f in d/*line d/b a skip/x; do setfattr -n user.origin -v x "$f"; done
     setfattr -n user.tag -v 1 d/e; setfattr -n system.posix_acl_access -v ${acl} a
     if [ $(id -u) = 0 ]; then setfattr -n security.capability -v ${capability} d/b
     setfattr -h -n trusted.overlay.opaque -v y link; fi`,
  );
  const found = (name: string, count: number, where: string): object => ({
    code: 'ATTRIBUTES_NOT_KEPT',
    params: { path: where, name, count },
  });
  const root = process.getuid?.() === 0;
  const expected = [
    ...(root ? [found('security.capability', 1, '3/d/b')] : []),
    found('system.posix_acl_access', 1, '3/a'),
    ...(root ? [found('trusted.overlay.opaque', 1, '3/link')] : []),
    found('user.origin', 3, '3/a'),
    found('user.tag', 1, '3/d/e'),
  ];
  expect(await scan(tree, ['skip'])).toEqual(expected);
  const file = path.join(base, 'archive');
  const key = Buffer.alloc(32);
  const volumes = [{ index: 3, root: tree, links: 2 as const, exclude: ['skip'] }];
  const { notes } = await createArchive({ file, key, manifest: {}, volumes, threads: 0 });
  expect(notes).toEqual(expected);
  expect((await readIndex(file, { key })).notes).toEqual(expected);
});

test('an attribute of the root itself', async () => {
  const tree = emptyDir(base, 'rooted');
  shell(tree, 'setfattr -n user.r -v 1 .');
  expect(await scan(tree)).toEqual([{ code: 'ATTRIBUTES_NOT_KEPT', params: { path: '3', name: 'user.r', count: 1 } }]);
});

test('a tree without attributes has no note', async () => {
  const before = openDescriptors();
  expect(await scan(emptyDir(base, 'plain'))).toEqual([]);
  expect(openDescriptors()).toEqual(before);
});

describe('where nobody can look, that is said', () => {
  test('no getfattr', async () => {
    process.env['PATH'] = path.join(base, 'nowhere');
    expect(await scan(emptyDir(base, 'unseen'))).toEqual([
      { code: 'ATTRIBUTES_NOT_CHECKED', params: { path: '3', why: 'the program getfattr is not installed' } },
    ]);
  });

  test.each([
    ['exit 3', 'getfattr ended with 3'],
    ['kill -9 $$', 'getfattr ended with SIGKILL'],
    ['echo "getfattr: a: Permission denied" >&2; exit 1', 'it failed on some entries'],
  ])('getfattr that does %j', async (script, why) => {
    const bin = emptyDir(base, `bin-${why.length}`);
    shell(bin, `printf '%s\\n' '#!/bin/sh' '${script}' > getfattr; chmod 755 getfattr`);
    process.env['PATH'] = `${bin}:${searchPath}`;
    expect(await scan(emptyDir(base, 'unseen'))).toEqual([
      { code: 'ATTRIBUTES_NOT_CHECKED', params: { path: '3', why } },
    ]);
  });

  test('one that hangs ends with the capture', async () => {
    const bin = emptyDir(base, 'bin-hangs');
    shell(bin, `printf '%s\\n' '#!/bin/sh' 'exec sleep 1000' > getfattr; chmod 755 getfattr`);
    process.env['PATH'] = `${bin}:${searchPath}`;
    const tree = emptyDir(base, 'hangs');
    const stop = new AbortController();
    const volumes = [{ index: 0, root: tree, links: 2 as const }];
    const options = { file: path.join(base, 'never'), key: Buffer.alloc(32), manifest: {}, volumes };
    const running = createArchive({ ...options, threads: 0, signal: stop.signal });
    setTimeout(() => stop.abort(), 100);
    await expect(running).rejects.toMatchObject({ code: 'CANCELLED' });
  });
});

test('more names than anybody reads are counted together', () => {
  const listing = new AttributeListing(new Set());
  for (let i = 0; i < 100; i++) listing.push(Buffer.from(`# file: ./f${i}\nuser.n${i}\n\n`));
  const notes = listing.notes(0);
  expect(notes).toHaveLength(65);
  expect(notes.find(({ params }) => params['name'] === 'others')?.params).toMatchObject({ count: 36 });
});

test('a scan that is closed before its program could be started ends nobody else', async () => {
  process.env['PATH'] = path.join(base, 'nowhere');
  const root = openSync(emptyDir(base, 'closed'), 'r');
  const scan = new AttributeScan([{ index: 0, root, exclude: [] }]);
  await scan.close();
  expect(await scan.notes()).toMatchObject([{ code: 'ATTRIBUTES_NOT_CHECKED' }]);
  closeSync(root);
});
