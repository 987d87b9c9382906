import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { Operation } from '@tiny-forge/contracts/domain';
import { visited } from '../../testing/app-navigation.ts';
import { FakeServer } from '../../testing/fake-server.ts';
import { useEnglish } from '../../testing/language.ts';
import { cleanup, render, screen, textOf, waitFor } from '../../testing/render.ts';
import { AT, at, exampleKept, exampleOperation, exampleOperations, exampleUnsafe } from '../examples/data.ts';
import { clock } from '../live/clock.svelte.ts';
import { feed } from '../live/feed.svelte.ts';
import Announcer from './Announcer.svelte';
import OperationOutcome from './OperationOutcome.svelte';

let server: FakeServer;
const show = (operation: Operation) => render(OperationOutcome, { operation });
const buttons = () =>
  screen
    .queryAllByRole('button')
    .map(textOf)
    .filter((text) => !text.startsWith('Copy'));
const links = () => screen.queryAllByRole('link').map((link) => `${textOf(link)} ${link.getAttribute('href') ?? ''}`);

beforeEach(() => {
  useEnglish();
  jest.spyOn(performance, 'now').mockReturnValue(5000);
  clock.learn(new Date(AT).toISOString());
  Object.assign(feed, { stale: false });
  visited.length = 0;
  server = new FakeServer();
});
afterEach(() => {
  cleanup();
  jest.restoreAllMocks();
});

describe('what became of it and what can be done', () => {
  it('UX20: WAITING: the bound, the countdown, why, and both ways', () => {
    show(exampleOperations.WAITING);
    const text = textOf(screen.getByTestId('outcome'));
    expect(text).toContain('Your decision, please. Without it all goes back at 02:18.');
    expect(text).toContain('4:12');
    expect(text).toContain('guestbook-1 not healthy in 60 s: HTTP 502.');
    expect(buttons()).toEqual(['Try step again', 'Go back now', 'Log']);
  });

  it('WAITING without a countdown: a silent host', () => {
    const { waitingUntil: _gone, ...operation } = exampleOperations.WAITING;
    show(operation);
    expect(screen.queryByTestId('countdown')).toBeNull();
    expect(textOf(screen.getByTestId('result'))).toBe('Your decision, please.');
  });

  it('UX20: a button sends its verb with a key', async () => {
    server.on(`POST /api/operations/${exampleOperations.WAITING.id}/abort`, { status: 202, body: {} });
    show(exampleOperations.WAITING);
    screen.getByTestId('abort').click();
    await waitFor(() =>
      expect(server.asked.map((one) => one.route)).toEqual([
        `POST /api/operations/${exampleOperations.WAITING.id}/abort`,
      ]),
    );
    expect(server.asked[0]?.headers['Idempotency-Key']).toMatch(/^[0-9a-f]{32}$/);
  });

  it('RUNNING: stop and go back, until the swap', () => {
    show(exampleOperations.RUNNING);
    expect(buttons()).toEqual(['Stop and go back']);
    expect(textOf(screen.getByTestId('outcome'))).toContain('until step 5');
  });

  it('past the swap the button stays, off, and says why', () => {
    const steps = exampleOperations.RUNNING.steps.map((step) =>
      step.name === 'swap' ? { ...step, state: 'DONE' as const } : step,
    );
    show(exampleOperation('RUNNING', { steps, actions: [] }));
    expect(screen.getByTestId<HTMLButtonElement>('abort').disabled).toBe(true);
    expect(textOf(screen.getByTestId('outcome'))).toContain('The swap has begun');
  });

  it('UX21: rolled back: why, how long it was down, run again with the checks anew', () => {
    show(exampleOperations.ROLLED_BACK);
    const text = textOf(screen.getByTestId('outcome'));
    expect(text).toContain('Not restored; all is as before.');
    expect(text).toContain('Down 1 min 03 s.');
    expect(text).toContain('guestbook-1 not healthy in 60 s: HTTP 502.');
    expect(links()[0]).toMatch(/^Run again… \/workloads\/.*\/restore\?again=/);
  });

  it('FAILED for want of space: check again', () => {
    show(exampleOperations.FAILED);
    expect(textOf(screen.getByTestId('outcome'))).toContain('Not restored: nothing was stopped, nothing changed.');
    expect(textOf(screen.getByTestId('outcome'))).toContain('/srv needs 2.4 GiB, has 1.13 GiB.');
    expect(links()[0]).toMatch(/^Check again /);
  });

  it('UX22: NEEDS_OPERATOR: trees, exact commands, check again', async () => {
    show(exampleOperations.NEEDS_OPERATOR);
    const text = textOf(screen.getByTestId('outcome'));
    expect(text).toContain(
      "/srv/files live: the snapshot's data; other: /srv/.files.restore-7.old (the data of before)",
    );
    expect([...document.querySelectorAll('pre')].map((line) => line.textContent)).toEqual([
      'findmnt -R --target /srv',
      'mv -nT -- /srv/.files.restore-7.old /srv/files',
    ]);
    expect(text).toContain('Do not start the app or delete .restore-* by hand.');
    server.on(`POST /api/operations/${exampleOperations.NEEDS_OPERATOR.id}/recheck`, {
      status: 409,
      body: { code: 'WORKLOAD_HELD', params: {} },
    });
    screen.getByTestId('recheck').click();
    await screen.findByText('This app is held: one of its operations needs you first.');
  });

  it('SUCCEEDED: down for how long, and the way back only where the server offers it', () => {
    show(exampleOperations.SUCCEEDED);
    const text = textOf(screen.getByTestId('outcome'));
    expect(text).toContain('Restored. The app was down for 14 s.');
    expect(text).toContain('02:14:17–02:14:31');
    expect(buttons()).toEqual(['Bring back the data of 02:14…']);
    expect(text).toContain('until 30 Nov, 02:14');
    cleanup();
    show({ ...exampleOperations.SUCCEEDED, actions: [] });
    expect(buttons()).toEqual([]);
  });

  it('UX23: undo names what stops, then follows the new operation', async () => {
    server.on(`POST /api/operations/${exampleOperations.SUCCEEDED.id}/undo`, {
      status: 202,
      body: { operationId: 'op-9' },
    });
    show(exampleOperations.SUCCEEDED);
    screen.getByTestId('undo').click();
    await screen.findByText(/The app stops again for a moment/);
    screen.getByTestId('dialog-submit').click();
    await waitFor(() => expect(visited).toEqual([{ path: '/operations/op-9', replace: false }]));
  });

  it('a safety snapshot that fails: the old folders can be kept instead, after a word on what that means', async () => {
    const url = `POST /api/operations/${exampleUnsafe.id}/retry-step`;
    server.on(url, { status: 202, body: {} });
    show(exampleUnsafe);
    expect(buttons()).toEqual(['Try step again', 'Go on, keep the old folders…', 'Go back now']);
    screen.getByTestId('keep-old-tree').click();
    await screen.findByText(/No button brings them back/);
    expect(server.asked).toEqual([]);
    screen.getByTestId('dialog-submit').click();
    await waitFor(() => expect(server.of(url)).toHaveLength(1));
    expect(server.of(url)[0]?.body).toEqual({ safety: 'keep-old-tree' });
    await waitFor(() => expect(screen.queryByTestId('dialog-submit')).toBeNull());
  });

  it('another step that waits offers no such thing', () => {
    show(exampleOperations.WAITING);
    expect(screen.queryByTestId('keep-old-tree')).toBeNull();
  });

  it('old folders that are kept: where, until when, and the lines that put them back; later only that they were', () => {
    show(exampleKept);
    const text = textOf(screen.getByTestId('kept-trees'));
    expect(text).toContain('kept on the host until 30 Nov, 02:14. There is no safety snapshot.');
    expect(text).toContain('/data: /srv/.my data.restore-abc.old');
    expect([...document.querySelectorAll('pre')].map((line) => line.textContent)).toEqual([
      "mv -nT -- '/srv/my data' '/srv/my data.restored'",
      "mv -nT -- '/srv/.my data.restore-abc.old' '/srv/my data'",
    ]);
    cleanup();
    show({ ...exampleKept, kept: { until: at(60), trees: exampleKept.kept?.trees ?? [] } });
    expect(textOf(screen.getByTestId('kept-trees'))).toBe(
      'The folders of before were kept on the host until 23 Nov, 02:13.',
    );
    expect(document.querySelectorAll('pre')).toHaveLength(0);
  });

  it('QUEUED: behind what', () => {
    show(exampleOperations.QUEUED);
    expect(links()[0]).toMatch(/^Open the earlier operation \/operations\//);
  });

  it('without a connection nothing can be pressed', () => {
    Object.assign(feed, { stale: true });
    show(exampleOperations.WAITING);
    const sending = ['retry-step', 'abort'].map((id) => screen.getByTestId<HTMLButtonElement>(id).disabled);
    expect(sending).toEqual([true, true]);
  });
});

describe('what is spoken', () => {
  const polite = () => textOf(screen.getByTestId('announce'));
  const urgent = () => textOf(screen.getByTestId('announce-urgent'));

  it('steps, without percents', () => {
    render(Announcer, { operation: exampleOperations.RUNNING });
    expect(polite()).toBe('Safety snapshot: running');
    expect(urgent()).toBe('');
  });

  it.each(['WAITING', 'NEEDS_OPERATOR'] as const)('%s interrupts', (state) => {
    render(Announcer, { operation: exampleOperations[state] });
    expect(polite()).toBe('');
    expect(urgent()).toContain(state === 'WAITING' ? 'Your decision, please.' : 'Needs you.');
  });

  it('a new byte says nothing new', async () => {
    const { rerender } = render(Announcer, { operation: exampleOperations.RUNNING });
    const before = polite();
    await rerender({ operation: { ...exampleOperations.RUNNING, revision: 9, serverTime: at(-1) } });
    expect(polite()).toBe(before);
  });
});
