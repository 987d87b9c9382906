import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { Workload } from '@tiny-forge/contracts/domain';
import { visited } from '../../testing/app-navigation.ts';
import { FakeUpload } from '../../testing/fake-upload.ts';
import { useEnglish } from '../../testing/language.ts';
import { cleanup, render, screen, textOf, waitFor } from '../../testing/render.ts';
import { feed } from '../live/feed.svelte.ts';
import { session } from '../state/session.svelte.ts';
import { archiveKind } from './archive-kind.ts';
import ImportDialog from './ImportDialog.svelte';

const workload = {
  id: 'w1',
  name: 'guestbook',
  volumes: [{ target: '/data' }, { target: '/files' }],
} as unknown as Workload;
let closed: number;

/** jsdom's Blob cannot be read. */
function fileOf(name: string, content: string): File {
  const bytes = new TextEncoder().encode(content);
  const slice = (from: number) => ({ arrayBuffer: async () => bytes.slice(from).buffer });
  const file = Object.assign(new File([], name), { slice });
  return Object.defineProperty(file, 'size', { value: bytes.length });
}

async function choose(file: File): Promise<void> {
  const input = screen.getByTestId<HTMLInputElement>('import-file');
  Object.defineProperty(input, 'files', { value: [file], configurable: true });
  input.dispatchEvent(new Event('change', { bubbles: true }));
  await waitFor(() => expect(textOf(screen.getByTestId('import-chosen'))).toContain(file.name));
}

const button = (): HTMLButtonElement => screen.getByTestId<HTMLButtonElement>('import-submit');

async function send(): Promise<FakeUpload> {
  await waitFor(() => expect(button().disabled).toBe(false));
  button().click();
  await waitFor(() => expect(FakeUpload.all).toHaveLength(1));
  return FakeUpload.all[0] as FakeUpload;
}

beforeEach(() => {
  useEnglish();
  FakeUpload.install();
  visited.length = 0;
  closed = 0;
  Object.assign(feed, { stale: false });
  session.me = { user: { id: 'u', name: 'admin', permissions: ['snapshots:data'] }, csrfToken: 't', expiresAt: null };
  render(ImportDialog, { workload, onclose: () => (closed += 1) });
});
afterEach(() => {
  cleanup();
  jest.restoreAllMocks();
});

it('sends nothing before a file is chosen, and says so', () => {
  expect(button().disabled).toBe(true);
  expect(textOf(screen.getByTestId('import-dialog'))).toContain('no file chosen');
});

it('sends the file with what was chosen, shows its way, and goes to the operation', async () => {
  await choose(fileOf('backup.tar', 'plain'));
  screen.getByTestId<HTMLInputElement>('import-links').click();
  const sent = await send();
  expect(sent.path).toBe('/api/workloads/w1/snapshots/import?links=1');
  expect(sent.headers).toMatchObject({ 'X-Import-Profile': 'tar', 'Content-Type': 'application/octet-stream' });
  sent.upload.onprogress?.({ loaded: 512, total: 2048 });
  await waitFor(() => expect(textOf(screen.getByTestId('upload'))).toContain('25%'));
  sent.upload.onprogress?.({ loaded: 2048, total: 2048 });
  await waitFor(() => expect(textOf(screen.getByTestId('upload'))).toContain('Waiting for the answer'));
  button().click();
  sent.answer(202, { operationId: 'op1', snapshotId: 's1' });
  await waitFor(() => expect(visited).toEqual([{ path: '/operations/op1', replace: false }]));
  expect(FakeUpload.all).toHaveLength(1);
});

describe('what goes wrong', () => {
  it('a refusal stands where it happened, and the choice stays', async () => {
    await choose(fileOf('backup.tar', 'plain'));
    (await send()).answer(413, { code: 'UPLOAD_TOO_LARGE', params: { need: 2048, free: 1024 } });
    await waitFor(() => expect(screen.getByTestId('error').dataset['code']).toBe('UPLOAD_TOO_LARGE'));
    expect(textOf(screen.getByTestId('error'))).toContain('The upload needs 2 KiB; the disk allows 1 KiB.');
    expect(textOf(screen.getByTestId('import-chosen'))).toContain('backup.tar');
    expect(button().disabled).toBe(false);
  });

  it('a broken connection does not promise that nothing began', async () => {
    await choose(fileOf('backup.tar', 'plain'));
    (await send()).fail();
    await waitFor(() =>
      expect(textOf(screen.getByTestId('error'))).toContain('The connection broke during the upload'),
    );
    expect(FakeUpload.all).toHaveLength(1);
  });

  it('cancel breaks the upload off and leaves the dialog', async () => {
    await choose(fileOf('backup.tar', 'plain'));
    const sent = await send();
    await waitFor(() => expect(screen.queryByTestId('upload-cancel')).not.toBeNull());
    screen.getByTestId('upload-cancel').click();
    await waitFor(() => expect(screen.queryByTestId('upload-cancelled')).not.toBeNull());
    expect([sent.aborted, closed, visited.length]).toEqual([true, 0, 0]);
  });
});

it('an archive of ours is recognised by its end, and needs no volume', async () => {
  expect(await archiveKind(fileOf('x', 'TFE1 at its beginning only'.padEnd(3000, '.')))).toBe('tar');
  expect(await archiveKind(fileOf('x', `${'.'.repeat(3000)}TFE1${'.'.repeat(120)}`))).toBe('tiny-forge');
  expect(screen.queryByTestId('import-target')).not.toBeNull();
  await choose(fileOf('ours', `TFE1${'.'.repeat(120)}`));
  await waitFor(() => expect(screen.getByTestId<HTMLInputElement>('profile-tiny-forge').checked).toBe(true));
  expect(screen.queryByTestId('import-target')).toBeNull();
});
