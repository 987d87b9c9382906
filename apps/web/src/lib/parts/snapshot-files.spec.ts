import { afterEach, beforeEach, expect, it } from '@jest/globals';
import type { Snapshot, SnapshotEntry } from '@tiny-forge/contracts/domain';
import { page } from '../../testing/app-state.ts';
import { FakeServer } from '../../testing/fake-server.ts';
import { useEnglish } from '../../testing/language.ts';
import { cleanup, render, screen, textOf, waitFor } from '../../testing/render.ts';
import { session } from '../state/session.svelte.ts';
import SnapshotFiles from './SnapshotFiles.svelte';

const snapshot = {
  id: 's1',
  workloadId: 'w1',
  state: 'READY',
  volumes: [
    { index: 0, target: '/gone', absent: true },
    { index: 1, target: '/data' },
    { index: 2, target: '/files' },
  ],
} as unknown as Snapshot;
const entry = (name: string, over: Partial<SnapshotEntry> = {}): SnapshotEntry => ({
  name,
  path: name,
  path64: Buffer.from(name).toString('base64url'),
  type: 'file',
  size: 2048,
  mode: 0o640,
  uid: 5,
  gid: 6,
  mtime: '2026-11-22T03:00:00Z',
  link: null,
  link64: null,
  sha256: 'ab',
  ...over,
});
const ROUTE = 'GET /api/workloads/w1/snapshots/s1/entries';
let server: FakeServer;

beforeEach(() => {
  useEnglish();
  server = new FakeServer();
  page.url = new URL('http://localhost/workloads/w1/snapshots/s1');
  session.me = { user: { id: 'u', name: 'admin', permissions: ['snapshots:data'] }, csrfToken: 't', expiresAt: null };
});
afterEach(cleanup);

const show = async (items: SnapshotEntry[]): Promise<void> => {
  server.on(ROUTE, { body: { folder: entry(''), items, nextCursor: null } });
  render(SnapshotFiles, { snapshot });
  await waitFor(() => expect(screen.getByTestId('snapshot-files').dataset['loaded']).toBe('true'));
};
const links = (testid: string): (string | null)[] =>
  screen.queryAllByTestId(testid).map((link) => link.getAttribute('href'));

it('begins with the first volume that is there; folders and files have addresses that name their bytes', async () => {
  await show([
    entry('sub', { type: 'directory' }),
    entry('a b.txt'),
    entry('bad\\xff', { path: null, path64: 'YmFk_w' }),
    entry('link', { type: 'symlink', link: '/etc/passwd', size: 0 }),
  ]);
  expect(links('folder')).toEqual(['/workloads/w1/snapshots/s1?volume=1&path=sub']);
  expect(links('download')).toEqual([
    '/api/workloads/w1/snapshots/s1/content?volume=1&path=a+b.txt',
    '/api/workloads/w1/snapshots/s1/content?volume=1&path64=YmFk_w',
  ]);
  const text = textOf(screen.getByTestId('entries'));
  expect(text).toContain('leads to /etc/passwd; not followed');
  expect(text).toContain('rw-r-----');
  expect(textOf(screen.getByTestId('snapshot-files'))).toContain('Bytes and signs that cannot be shown');
});

it('shows the folder of the address, each step of the way a link', async () => {
  page.url = new URL('http://localhost/workloads/w1/snapshots/s1?volume=2&path=deep/er');
  await show([]);
  expect(textOf(screen.getByTestId('folder-empty'))).toBe('This folder is empty.');
  const crumbs = [...screen.getByTestId('crumbs').querySelectorAll('a')].map((link) => link.getAttribute('href'));
  expect(crumbs).toEqual([
    '/workloads/w1/snapshots/s1?volume=2',
    '/workloads/w1/snapshots/s1?volume=2&path=deep',
    '/workloads/w1/snapshots/s1?volume=2&path=deep/er',
  ]);
  expect(links('folder-up')).toEqual(['/workloads/w1/snapshots/s1?volume=2&path=deep']);
});

it('a folder that is not there leads back', async () => {
  server.on(ROUTE, { status: 404, body: { code: 'NOT_FOUND', params: { what: 'The folder' } } });
  render(SnapshotFiles, { snapshot });
  await waitFor(() => expect(screen.getByTestId('error').dataset['code']).toBe('NOT_FOUND'));
  expect(textOf(screen.getByTestId('error'))).toContain('To the root of the volume');
});

it('asks for nothing without the permission or before the snapshot is ready', () => {
  render(SnapshotFiles, { snapshot: { ...snapshot, state: 'CREATING' } });
  session.me = { user: { id: 'u', name: 'r', permissions: [] }, csrfToken: 't', expiresAt: null };
  cleanup();
  render(SnapshotFiles, { snapshot });
  expect(textOf(screen.getByTestId('snapshot-files'))).toContain('needs the permission snapshots:data');
  expect(server.asked).toEqual([]);
});
