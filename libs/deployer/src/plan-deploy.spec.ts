import { describe, expect, test } from '@jest/globals';
import { planDeploy, type DeployPlanInput, type ExistingInstance } from './plan-deploy.ts';

const want = { service: 'main', imageId: 'sha256:new', specHash: 'spec-new' };

const instance = (id: string, more: Partial<ExistingInstance> = {}): ExistingInstance => ({
  id,
  service: 'main',
  imageId: 'sha256:old',
  specHash: 'spec-old',
  state: 'running',
  restartPolicy: 'unless-stopped',
  operationId: 'op-earlier',
  replaces: [],
  healthy: false,
  ...more,
});
const same = { imageId: want.imageId, specHash: want.specHash, healthy: true };

const plan = (existing: readonly ExistingInstance[], more: Partial<DeployPlanInput> = {}) =>
  planDeploy({
    cause: 'deploy',
    strategy: 'recreate',
    operationId: 'op-now',
    restartPolicy: 'unless-stopped',
    desired: [want],
    existing,
    ...more,
  });

const FRESH = {
  changed: true,
  keep: {},
  actions: [
    { do: 'create', service: 'main', replaces: [] },
    { do: 'start-new', service: 'main' },
    { do: 'gate', service: 'main' },
  ],
  afterwards: [],
  undo: { remove: 'created', stop: [], start: [] },
};

describe('nothing there', () => {
  test.each(['deploy', 'start', 'restore', 'undo'] as const)('%s creates, starts and waits', (cause) => {
    expect(plan([], { cause })).toEqual(FRESH);
  });

  test('resume removes on failure only what never ran', () => {
    expect(plan([], { cause: 'resume' })).toEqual({ ...FRESH, undo: { remove: 'unstarted', stop: [], start: [] } });
  });
});

describe('the old version runs', () => {
  test('recreate: the new one is made before the old one stops, and the old one goes last', () => {
    expect(plan([instance('old')])).toEqual({
      changed: true,
      keep: {},
      actions: [
        { do: 'create', service: 'main', replaces: ['old'] },
        { do: 'stop', id: 'old' },
        { do: 'start-new', service: 'main' },
        { do: 'gate', service: 'main' },
      ],
      afterwards: [{ do: 'remove', id: 'old' }],
      undo: { remove: 'created', stop: [], start: ['old'] },
    });
  });

  test('blue-green: the old one stops after the gate', () => {
    expect(plan([instance('old')], { strategy: 'blue-green' })).toEqual({
      changed: true,
      keep: {},
      actions: [
        { do: 'create', service: 'main', replaces: ['old'] },
        { do: 'start-new', service: 'main' },
        { do: 'gate', service: 'main' },
      ],
      afterwards: [
        { do: 'stop', id: 'old' },
        { do: 'remove', id: 'old' },
      ],
      undo: { remove: 'created', stop: [], start: ['old'] },
    });
  });

  test.each(['restore', 'undo'] as const)('inside a restore (%s): recreate, and nothing old is started', (cause) => {
    expect(plan([instance('old')], { cause, strategy: 'blue-green', restartPolicy: 'no' })).toEqual({
      changed: true,
      keep: {},
      actions: [
        { do: 'create', service: 'main', replaces: ['old'] },
        { do: 'stop', id: 'old' },
        { do: 'start-new', service: 'main' },
        { do: 'gate', service: 'main' },
      ],
      afterwards: [{ do: 'remove', id: 'old' }],
      undo: { remove: 'created', stop: [], start: [] },
    });
  });

  test('what a person stopped is not started after a failure', () => {
    expect(plan([instance('old', { state: 'exited' })])).toMatchObject({
      actions: [{ do: 'create', replaces: [] }, { do: 'start-new' }, { do: 'gate' }],
      afterwards: [{ do: 'remove', id: 'old' }],
      undo: { start: [] },
    });
  });

  test.each(['paused', 'restarting'] as const)('%s counts as running', (state) => {
    expect(plan([instance('old', { state })])).toMatchObject({
      actions: [{ do: 'create' }, { do: 'stop', id: 'old' }, { do: 'start-new' }, { do: 'gate' }],
      undo: { start: ['old'] },
    });
  });

  test('what never started or is dead goes before anything starts', () => {
    expect(plan([instance('created', { state: 'created' }), instance('dead', { state: 'dead' })])).toEqual({
      changed: true,
      keep: {},
      actions: [
        { do: 'create', service: 'main', replaces: [] },
        { do: 'remove', id: 'created' },
        { do: 'remove', id: 'dead' },
        { do: 'start-new', service: 'main' },
        { do: 'gate', service: 'main' },
      ],
      afterwards: [],
      undo: { remove: 'created', stop: [], start: [] },
    });
  });
});

describe('the very same thing', () => {
  const nothing = {
    changed: false,
    keep: { main: 'it' },
    actions: [],
    afterwards: [],
    undo: { remove: 'created', stop: [], start: [] },
  };

  test.each(['deploy', 'start'] as const)('runs and is healthy: %s does nothing', (cause) => {
    expect(plan([instance('it', same)], { cause })).toEqual(nothing);
  });

  test('with another policy: only that is set', () => {
    expect(plan([instance('it', { ...same, restartPolicy: 'no' })])).toEqual({
      ...nothing,
      afterwards: [{ do: 'set-policy', id: 'it', policy: 'unless-stopped' }],
    });
  });

  test('beside a stopped leftover: that one is taken away', () => {
    expect(plan([instance('it', same), instance('old', { state: 'exited' })])).toEqual({
      ...nothing,
      afterwards: [{ do: 'remove', id: 'old' }],
    });
  });

  test.each([
    ['is unhealthy', [instance('it', { ...same, healthy: false })]],
    ['has another image', [instance('it', { ...same, imageId: 'sha256:old' })]],
    ['has another spec', [instance('it', { ...same, specHash: 'spec-old' })]],
    ['runs twice', [instance('it', same), instance('twin', same)]],
    ['runs beside another version', [instance('it', same), instance('old')]],
  ])('%s: replaced', (_, existing) => {
    expect(plan(existing)).toMatchObject({ changed: true, keep: {}, undo: { start: existing.map(({ id }) => id) } });
  });

  test.each(['restore', 'undo', 'resume'] as const)('inside a restore (%s) it is replaced all the same', (cause) => {
    expect(plan([instance('it', same)], { cause })).toMatchObject({
      changed: true,
      actions: [{ do: 'create' }, { do: 'stop', id: 'it' }, { do: 'start-new' }, { do: 'gate' }],
    });
  });

  test.each(['deploy', 'start'] as const)(
    'is stopped: %s starts it as it is, and a failure stops it again',
    (cause) => {
      expect(plan([instance('it', { ...same, state: 'exited', healthy: false })], { cause })).toEqual({
        changed: true,
        keep: { main: 'it' },
        actions: [
          { do: 'start-existing', service: 'main', id: 'it' },
          { do: 'gate', service: 'main' },
        ],
        afterwards: [],
        undo: { remove: 'created', stop: ['it'], start: [] },
      });
    },
  );
});

describe('an earlier attempt of this operation was killed', () => {
  const own = { operationId: 'op-now', replaces: ['old'] };

  test('before the old one was stopped: its container is replaced', () => {
    expect(plan([instance('mine', { ...own, state: 'created' }), instance('old')])).toEqual({
      changed: true,
      keep: {},
      actions: [
        { do: 'create', service: 'main', replaces: ['old'] },
        { do: 'remove', id: 'mine' },
        { do: 'stop', id: 'old' },
        { do: 'start-new', service: 'main' },
        { do: 'gate', service: 'main' },
      ],
      afterwards: [{ do: 'remove', id: 'old' }],
      undo: { remove: 'created', stop: [], start: ['old'] },
    });
  });

  test('after the old one was stopped: a failure still starts it again', () => {
    expect(plan([instance('mine', { ...own, state: 'created' }), instance('old', { state: 'exited' })])).toMatchObject({
      actions: [{ do: 'create', replaces: ['old'] }, { do: 'remove', id: 'mine' }, { do: 'start-new' }, { do: 'gate' }],
      undo: { start: ['old'] },
    });
  });

  test.each(['deploy', 'start', 'restore', 'undo', 'resume'] as const)(
    'after its gate (%s): only the rest is done',
    (cause) => {
      expect(plan([instance('mine', { ...own, ...same }), instance('old', { state: 'exited' })], { cause })).toEqual({
        changed: true,
        keep: { main: 'mine' },
        actions: [],
        afterwards: [{ do: 'remove', id: 'old' }],
        undo: { remove: 'created', stop: [], start: [] },
      });
    },
  );

  test('after its gate, blue-green: the old one is stopped too', () => {
    expect(plan([instance('mine', { ...own, ...same }), instance('old')], { strategy: 'blue-green' })).toMatchObject({
      keep: { main: 'mine' },
      actions: [],
      afterwards: [
        { do: 'stop', id: 'old' },
        { do: 'remove', id: 'old' },
      ],
    });
  });

  test('it runs and is not healthy: replaced, and what ran before it comes back on failure', () => {
    expect(
      plan([instance('mine', { ...own, ...same, healthy: false }), instance('old', { state: 'exited' })]),
    ).toMatchObject({
      actions: [
        { do: 'create', replaces: ['old'] },
        { do: 'stop', id: 'mine' },
        { do: 'remove', id: 'mine' },
        { do: 'start-new' },
        { do: 'gate' },
      ],
      undo: { remove: 'created', start: ['old'] },
    });
  });
});

test('several services are replaced together', () => {
  const desired = [want, { ...want, service: 'worker' }];
  expect(plan([instance('it', same)], { desired })).toEqual({
    changed: true,
    keep: {},
    actions: [
      { do: 'create', service: 'main', replaces: ['it'] },
      { do: 'create', service: 'worker', replaces: ['it'] },
      { do: 'stop', id: 'it' },
      { do: 'start-new', service: 'main' },
      { do: 'start-new', service: 'worker' },
      { do: 'gate', service: 'main' },
      { do: 'gate', service: 'worker' },
    ],
    afterwards: [{ do: 'remove', id: 'it' }],
    undo: { remove: 'created', stop: [], start: ['it'] },
  });
});
