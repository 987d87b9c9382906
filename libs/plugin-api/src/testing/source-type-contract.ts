import { afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { FaultyDockerPort, testDocker, type TestDocker } from '@tiny-forge/docker/testing';
import { PluginRegistry } from '../registry.ts';
import type { QuiesceSession, SourceTypePlugin, SourceWorkload } from '../source-type.ts';

const EVENTS_SETTLE_MS = 5_000;

export interface SourceTypeContractOptions {
  /** A `source` object that is fine. */
  readonly source: { readonly type: string } & Readonly<Record<string, unknown>>;
  /** `source` objects that are refused. */
  readonly bad: readonly unknown[];
}

/** The obligations of `SourceType`, its stillness proven on a real Engine. */
export function sourceTypeContract(plugin: SourceTypePlugin, options: SourceTypeContractOptions): void {
  describe('SourceType contract', () => {
    let bench: TestDocker;
    let image: string;

    beforeAll(async () => {
      bench = testDocker();
      image = (await bench.image()).id;
    });
    afterEach(() => bench?.cleanUp());

    const workload = (): SourceWorkload => ({
      id: '11111111-1111-4111-8111-111111111111',
      name: 'app',
      project: 'demo',
      stage: 'prod',
      host: 'local',
      source: plugin.config.parse(options.source),
      env: { GREETING: 'hello' },
      command: null,
      ports: [{ container: 8080, published: 18080, protocol: 'tcp' }],
      volumes: [
        { scope: 'any', source: 'a', target: '/a', readOnly: false, links: 2, shared: false },
        { scope: 'any', source: 'b', target: '/b', readOnly: true, links: 2, shared: false },
      ],
      health: { type: 'stable', stableSeconds: 0, timeoutSeconds: 5, intervalSeconds: 1 },
      strategy: 'recreate',
      stopTimeoutSeconds: 3,
      maxPauseSeconds: 10,
      codec: null,
    });

    test('its schema takes a good source and refuses others, unknown fields included', () => {
      expect(new PluginRegistry([plugin]).sourceTypeIds).toEqual([plugin.id]);
      expect(options.source.type).toBe(plugin.id);
      expect(plugin.config.safeParse(options.source).success).toBe(true);
      for (const bad of [...options.bad, { ...options.source, surprise: 1 }, null]) {
        expect([bad, plugin.config.safeParse(bad).success]).toEqual([bad, false]);
      }
    });

    test('desired is pure data: same answer every time, input untouched', () => {
      const input = deepFreeze(workload());
      const desired = plugin.create().desired(input);
      expect(plugin.create().desired(input)).toEqual(desired);
      expect(JSON.parse(JSON.stringify(desired))).toEqual(desired);
    });

    test('every volume of the workload is mounted somewhere, no other is, services are distinct', () => {
      const desired = plugin.create().desired(workload());
      expect(desired.length).toBeGreaterThan(0);
      expect(new Set(desired.map(({ service }) => service)).size).toBe(desired.length);
      expect(new Set(desired.flatMap(({ volumeTargets }) => volumeTargets))).toEqual(new Set(['/a', '/b']));
    });

    const container = async (state: 'running' | 'paused' | 'stopped'): Promise<string> => {
      const { id } = await bench.docker.createContainer(bench.spec(image, { network: 'none' }));
      await bench.docker.startContainer(id);
      if (state === 'paused') await bench.docker.pauseContainer(id);
      if (state === 'stopped') await bench.docker.stopContainer(id, 2);
      return id;
    };
    /** As the capture engine makes it: of the containers that are up. */
    const session = async (
      mode: QuiesceSession['mode'],
      more: Partial<QuiesceSession> = {},
    ): Promise<QuiesceSession> => ({
      docker: bench.docker,
      mode,
      containers: (await bench.docker.listContainers(bench.spec(image).labels)).filter(
        ({ state }) => state !== 'exited',
      ),
      stopTimeoutSeconds: 3,
      signal: new AbortController().signal,
      ...more,
    });
    const states = async (ids: readonly string[]): Promise<(string | undefined)[]> =>
      Promise.all(ids.map(async (id) => (await bench.docker.inspectContainer(id))?.state));
    /**
     * Waits a moment for them: the Engine also writes `paused` and `running` when containerd's event arrives, and a
     * late event of a pause that was lifted right away shows it as paused until the next event
     * (moby `daemon/monitor.go`, `EventPaused` and `EventResumed`).
     */
    const expectStates = async (ids: readonly string[], expected: readonly string[]): Promise<void> => {
      const until = Date.now() + EVENTS_SETTLE_MS;
      let seen = await states(ids);
      while (JSON.stringify(seen) !== JSON.stringify(expected) && Date.now() < until) {
        await sleep(50);
        seen = await states(ids);
      }
      expect(seen).toEqual(expected);
    };

    test.each([
      ['pause', 'paused'],
      ['stop', 'exited'],
    ] as const)('%s makes everything still and resume brings back exactly that, twice alike', async (mode, still) => {
      const ids = [await container('running'), await container('running'), await container('stopped')];
      const asked = await session(mode);
      const sourceType = plugin.create();
      const changed = await sourceType.quiesce(asked);
      expect([...changed].sort()).toEqual(ids.slice(0, 2).sort());
      await expectStates(ids, [still, still, 'exited']);
      await sourceType.resume(asked, changed);
      await sourceType.resume(asked, changed);
      await expectStates(ids, ['running', 'running', 'exited']);
    });

    test('what a person paused stays paused', async () => {
      const ids = [await container('paused'), await container('running')];
      const asked = await session('pause');
      const sourceType = plugin.create();
      const changed = await sourceType.quiesce(asked);
      await expectStates(ids, ['paused', 'paused']);
      await sourceType.resume(asked, changed);
      await expectStates(ids, ['paused', 'running']);
    });

    test.each(['before', 'after'] as const)('a quiesce that fails (%s an effect) is brought back', async (how) => {
      const ids = [await container('running'), await container('running')];
      const sourceType = plugin.create();
      for (const mode of ['pause', 'stop'] as const) {
        const methods = mode === 'pause' ? (['pauseContainer'] as const) : (['stopContainer'] as const);
        const faulty = new FaultyDockerPort(bench.docker, { at: 2, how, methods });
        const asked = await session(mode, { docker: faulty.port });
        await expect(sourceType.quiesce(asked)).rejects.toMatchObject({ code: 'DOCKER_AWAY' });
        await sourceType.resume(asked, ids);
        await expectStates(ids, ['running', 'running']);
      }
    });

    test('resume works after its session was aborted', async () => {
      const id = await container('running');
      const abort = new AbortController();
      const asked = await session('pause', { signal: abort.signal });
      const sourceType = plugin.create();
      const changed = await sourceType.quiesce(asked);
      abort.abort();
      await sourceType.resume(asked, changed);
      await expectStates([id], ['running']);
    });

    test('a container that went away meanwhile is no error', async () => {
      const id = await container('running');
      const asked = await session('pause');
      await bench.docker.removeContainer(id, { force: true });
      const sourceType = plugin.create();
      await sourceType.resume(asked, await sourceType.quiesce(asked));
    });
  });
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null) {
    Object.values(value).forEach(deepFreeze);
    Object.freeze(value);
  }
  return value;
}
