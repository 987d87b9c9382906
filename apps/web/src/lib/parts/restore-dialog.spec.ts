import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { RestorePlan, Snapshot, Workload } from '@tiny-forge/contracts/domain';
import { visited } from '../../testing/app-navigation.ts';
import { FakeServer, lostAnswer } from '../../testing/fake-server.ts';
import { useEnglish } from '../../testing/language.ts';
import { cleanup, fire, render, screen, textOf, type, waitFor } from '../../testing/render.ts';
import { AT, at, exampleKept, examplePlan } from '../examples/data.ts';
import { clock } from '../live/clock.svelte.ts';
import { feed } from '../live/feed.svelte.ts';
import { session } from '../state/session.svelte.ts';
import RestoreDialog from './RestoreDialog.svelte';
import { WorkloadModel } from './workload-model.svelte.ts';

const W = 'w-1';
const S = 's-1';
const PLAN = `GET /api/workloads/${W}/snapshots/${S}/plan`;
const RESTORE = `POST /api/workloads/${W}/snapshots/${S}/restore`;
const BLOCKER = { code: 'VOLUME_NOT_IN_CONFIG', params: { target: '/old' }, message: '', next: '' };

const workload = {
  id: W,
  name: 'guestbook',
  project: 'demo',
  stage: 'prod',
  source: { type: 'image', image: 'guestbook:1' },
  env: {},
  volumes: [],
  ports: [],
  command: null,
  health: { type: 'stable', stableSeconds: 3, timeoutSeconds: 60, intervalSeconds: 1 },
  stopTimeoutSeconds: 10,
  maxPauseSeconds: 120,
  status: { state: 'running', instances: [] },
  revision: 1,
} as unknown as Workload;
const snapshot = { id: S, workloadId: W, createdAt: at(86_400), state: 'READY' } as unknown as Snapshot;

let server: FakeServer;
let plan: RestorePlan;
let app: Workload;

async function open(): Promise<void> {
  const model = new WorkloadModel(W);
  await model.workload.load();
  render(RestoreDialog, { model, snapshotId: S });
  await screen.findByTestId('plan');
  await waitFor(() =>
    expect(textOf(screen.getByRole('heading', { level: 1 }))).toBe('Restore guestbook (demo / prod) to 22 Nov, 02:14'),
  );
}
const button = () => screen.getByTestId<HTMLButtonElement>('restore-submit');
const tickAll = () => {
  for (const box of screen.queryAllByRole<HTMLInputElement>('checkbox')) {
    box.checked = true;
    fire(box, 'change');
  }
};
const word = () => screen.getByTestId('confirm-word');
const settle = () => new Promise((resolve) => setTimeout(resolve, 20));

beforeEach(() => {
  useEnglish();
  clock.learn(new Date(AT).toISOString());
  visited.length = 0;
  Object.assign(feed, { stale: false });
  plan = examplePlan;
  app = workload;
  server = new FakeServer()
    .on(`GET /api/workloads/${W}`, () => ({ body: app, headers: { etag: `"${String(app.revision)}"` } }))
    .on(`GET /api/workloads/${W}/snapshots/${S}`, { body: snapshot })
    .on(PLAN, () => ({ body: plan }))
    .on(RESTORE, { status: 202, body: { operationId: 'op-1' } });
  session.state = 'in';
  session.me = undefined;
});
afterEach(() => cleanup());

describe('UX8: the button', () => {
  it('is off until the word is typed and every warning ticked, and says what is missing', async () => {
    await open();
    expect(button().disabled).toBe(true);
    expect(screen.getByText('Tick every warning.')).toBeTruthy();
    tickAll();
    await screen.findByText('Type the word above.');
    type(word(), 'guestboo');
    await settle();
    expect(button().disabled).toBe(true);
    type(word(), '  GuestBook ');
    await waitFor(() => expect(button().disabled).toBe(false));
    expect(textOf(button())).toBe('Restore guestbook');
  });

  it('with a blocker there is nothing to type, and Enter sends nothing', async () => {
    plan = { ...examplePlan, blockers: [BLOCKER] };
    await open();
    expect(screen.queryByTestId('confirm-word')).toBeNull();
    expect(textOf(screen.getByTestId('blockers'))).toContain('The app no longer has /old.');
    tickAll();
    await settle();
    expect(button().disabled).toBe(true);
    fire(screen.getByTestId('restore-dialog'), 'submit');
    await settle();
    expect(server.of(RESTORE)).toHaveLength(0);
  });

  it('is off while the connection is lost', async () => {
    await open();
    tickAll();
    type(word(), 'guestbook');
    await waitFor(() => expect(button().disabled).toBe(false));
    Object.assign(feed, { stale: true });
    await waitFor(() => expect(button().disabled).toBe(true));
  });
});

it('UX9: "Check again" sees that a blocker is gone', async () => {
  plan = { ...examplePlan, blockers: [BLOCKER] };
  await open();
  plan = examplePlan;
  screen.getByTestId('check-again').click();
  await waitFor(() => expect(screen.queryByTestId('blockers')).toBeNull());
  expect(screen.getByTestId('confirm-word')).toBeTruthy();
});

it('UX10: the plan shows what stops, for how long, what is replaced and what is not, and the room', async () => {
  await open();
  const text = textOf(screen.getByTestId('restore-dialog'));
  for (const part of [
    'All written since then (24 h) leaves the app; a safety snapshot keeps it until 30 Nov, 02:14.',
    'app runs, about 40 s as last time',
    'Stop guestbook-1',
    'Down about 12 s, at most 75 s',
    'Start the same image @9f2c4e8d1a7b',
    '1.2 GiB · 5,120 files → 1.1 GiB · 4,980 files REPLACED',
    '/files not in this snapshot NOT TOUCHED',
    'needs 2.4 GiB at peak, 1.2 GiB of it to stay free; 18 GiB free',
    'inodes: needs 10,100, 1,204,000 free',
    'The snapshot was taken with image guestbook:0.9; the app runs guestbook:1.',
    "If anything fails, today's data and app come back.",
  ])
    expect(text).toContain(part);
});

describe('sending', () => {
  async function ready() {
    await open();
    tickAll();
    type(word(), 'guestbook');
    await waitFor(() => expect(button().disabled).toBe(false));
  }

  it('UX11: twice pressed, sent once, with the header, the hash and a key; the operation takes the place of the dialog', async () => {
    await ready();
    fire(screen.getByTestId('restore-dialog'), 'submit');
    fire(screen.getByTestId('restore-dialog'), 'submit');
    await waitFor(() => expect(visited).toEqual([{ path: '/operations/op-1', replace: true }]));
    const [sent, ...more] = server.of(RESTORE);
    expect(more).toEqual([]);
    expect(sent?.body).toEqual({ planHash: examplePlan.planHash });
    expect(sent?.headers).toMatchObject({
      'X-Confirm-Restore': S,
    });
    expect(sent?.headers['Idempotency-Key']).toMatch(/^[0-9a-f]{32}$/);
  });

  it('UX11: a lost answer says so, keeps the word, and is sent again with the same key', async () => {
    await ready();
    server.on(RESTORE, lostAnswer);
    fire(screen.getByTestId('restore-dialog'), 'submit');
    await screen.findByText(/starts nothing twice/);
    expect((word() as HTMLInputElement).value).toBe('guestbook');
    server.on(RESTORE, { status: 202, body: { operationId: 'op-1' } });
    fire(screen.getByTestId('restore-dialog'), 'submit');
    await waitFor(() => expect(visited).toHaveLength(1));
    const keys = server.of(RESTORE).map((asked) => asked.headers['Idempotency-Key']);
    expect(new Set(keys).size).toBe(1);
  });

  it('the old folders instead of a safety snapshot: another plan, said in its own words, agreed to anew', async () => {
    await ready();
    const KEEPS = { code: 'KEEPS_OLD_TREE', params: { days: 7 }, message: '', next: '' };
    plan = { ...examplePlan, planHash: 'c'.repeat(64), warnings: [KEEPS] };
    const [usual, keep] = screen.getAllByRole<HTMLInputElement>('radio');
    expect([usual?.checked, keep?.checked]).toEqual([true, false]);
    if (keep) keep.checked = true;
    fire(keep ?? document.body, 'change');
    await screen.findByText(/There will be no safety snapshot/);
    expect(server.of(PLAN).map(({ query }) => query)).toEqual(['', 'safety=keep-old-tree']);
    const text = textOf(screen.getByTestId('restore-dialog'));
    expect(text).toContain('the old folders stay on the host until 30 Nov, 02:14.');
    expect(text).toContain('Set the old folders aside, swap');
    expect(text).not.toContain('a safety snapshot keeps it');
    expect((word() as HTMLInputElement).value).toBe('');
    expect(button().disabled).toBe(true);
    tickAll();
    type(word(), 'guestbook');
    await waitFor(() => expect(button().disabled).toBe(false));
    fire(screen.getByTestId('restore-dialog'), 'submit');
    await waitFor(() => expect(visited).toHaveLength(1));
    expect(server.of(RESTORE)[0]?.body).toEqual({ planHash: 'c'.repeat(64), safety: 'keep-old-tree' });
  });

  it('a choice whose plan does not come cannot be sent', async () => {
    await ready();
    server.on(PLAN, { status: 503, body: { code: 'SERVICE_UNAVAILABLE', params: { part: 'docker' } } });
    const keep = screen.getAllByRole<HTMLInputElement>('radio')[1];
    if (keep) keep.checked = true;
    fire(keep ?? document.body, 'change');
    await screen.findByText(/docker/i);
    tickAll();
    type(word(), 'guestbook');
    await settle();
    expect(button().disabled).toBe(true);
    fire(screen.getByTestId('restore-dialog'), 'submit');
    await settle();
    expect(server.of(RESTORE)).toEqual([]);
  });

  it('a replay asks for what the earlier operation was asked for', async () => {
    server.on('GET /api/operations/op-0', { body: { ...exampleKept, id: 'op-0' } });
    const KEEPS = { code: 'KEEPS_OLD_TREE', params: { days: 7 }, message: '', next: '' };
    plan = { ...examplePlan, warnings: [KEEPS] };
    const model = new WorkloadModel(W);
    await model.workload.load();
    render(RestoreDialog, { model, snapshotId: S, retryOf: 'op-0' });
    await screen.findByText('Runs again as it was asked for.');
    expect(server.of(PLAN).map(({ query }) => query)).toEqual(['safety=keep-old-tree']);
    const radios = screen.getAllByRole<HTMLInputElement>('radio');
    expect(radios.map(({ checked, disabled }) => [checked, disabled])).toEqual([
      [false, true],
      [true, true],
    ]);
  });

  it('UX12: a second restore names and links the first', async () => {
    await ready();
    server.on(RESTORE, {
      status: 409,
      body: { code: 'OPERATION_IN_PROGRESS', params: { kind: 'restore' }, operationId: 'op-0' },
    });
    fire(screen.getByTestId('restore-dialog'), 'submit');
    await screen.findByText('A restore is already running.');
    expect(screen.getByRole('link', { name: 'Open the operation' }).getAttribute('href')).toBe('/operations/op-0');
  });

  it('UX13: a changed plan is loaded again, marked, and asks anew with a new key', async () => {
    await ready();
    const image = { reference: 'guestbook:2', imageId: 'sha256:beef', digest: null, available: true };
    server.on(RESTORE, () => {
      plan = { ...examplePlan, planHash: 'b'.repeat(64), image };
      app = { ...workload, revision: 2, source: { type: 'image', image: 'guestbook:2' } };
      return { status: 412, body: { code: 'PLAN_CHANGED', params: { what: 'something' } } };
    });
    fire(screen.getByTestId('restore-dialog'), 'submit');
    await screen.findByTestId('changed');
    expect(textOf(screen.getByTestId('restore-dialog'))).toContain('Settings of the app that changed: image.');
    expect((word() as HTMLInputElement).value).toBe('');
    expect(screen.queryAllByRole<HTMLInputElement>('checkbox').every((box) => !box.checked)).toBe(true);
    expect(button().disabled).toBe(true);
    server.on(RESTORE, { status: 202, body: { operationId: 'op-1' } });
    tickAll();
    type(word(), 'guestbook');
    await waitFor(() => expect(button().disabled).toBe(false));
    fire(screen.getByTestId('restore-dialog'), 'submit');
    await waitFor(() => expect(visited).toHaveLength(1));
    const [first, second] = server.of(RESTORE);
    expect(second?.body).toEqual({ planHash: 'b'.repeat(64) });
    expect(second?.headers['Idempotency-Key']).not.toBe(first?.headers['Idempotency-Key']);
  });

  it('blockers that only the submit found are shown with their next steps', async () => {
    await ready();
    server.on(RESTORE, () => {
      plan = { ...examplePlan, blockers: [BLOCKER] };
      return {
        status: 422,
        body: { code: 'RESTORE_BLOCKED', params: { count: 1, codes: BLOCKER.code }, blockers: [BLOCKER] },
      };
    });
    fire(screen.getByTestId('restore-dialog'), 'submit');
    await screen.findByTestId('blockers');
    expect(screen.queryByTestId('confirm-word')).toBeNull();
  });
});
