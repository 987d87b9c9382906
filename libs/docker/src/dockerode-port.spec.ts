import { describe, expect, test } from '@jest/globals';
import { ForgeError } from '@tiny-forge/contracts/domain';
import { DockerodePort } from './dockerode-port.ts';
import type { EngineAnswer, EngineRequest } from './engine-connection.ts';

type Script = Record<string, EngineAnswer | Error | (EngineAnswer | Error)[]>;

/** A port on an Engine that answers by script: `METHOD /path` to answer, a list answers in turn, its last one for ever. */
function scripted(script: Script): { port: DockerodePort; asked: string[] } {
  const asked: string[] = [];
  const port = new DockerodePort({
    async call(request: EngineRequest) {
      const key = `${request.method} ${request.path}`;
      asked.push(key);
      const entry = script[key];
      const answer = Array.isArray(entry) ? (entry.length > 1 ? entry.shift() : entry[0]) : entry;
      if (answer === undefined) throw new Error(`not in the script: ${key}`);
      if (answer instanceof Error) throw answer;
      return answer;
    },
  });
  return { port, asked };
}

const ok = (status = 204): EngineAnswer => ({ status, text: '' });
const refuse = (status: number, message: string): EngineAnswer => ({ status, text: JSON.stringify({ message }) });
const container = (status: string, ports: number[] = []): EngineAnswer => ({
  status: 200,
  text: JSON.stringify({
    Id: 'c1',
    Name: '/app',
    Image: 'sha256:1',
    Created: '2026-01-01T00:00:00Z',
    RestartCount: 0,
    State: {
      Status: status,
      Running: ['running', 'paused', 'restarting'].includes(status),
      Paused: status === 'paused',
      Pid: 1,
      ExitCode: 0,
      StartedAt: '0001-01-01T00:00:00Z',
    },
    Config: { Image: 'app:1', Labels: null },
    HostConfig: {
      PortBindings: Object.fromEntries(ports.map((port) => [`${port}/tcp`, [{ HostIp: '', HostPort: String(port) }]])),
    },
    NetworkSettings: {},
    Mounts: null,
  }),
});
const silent = new ForgeError({ code: 'DOCKER_AWAY', params: { why: 'no answer', reason: 'silent' } });
const unreachable = new ForgeError({ code: 'DOCKER_AWAY', params: { why: 'ECONNREFUSED', reason: 'unreachable' } });

describe('stop', () => {
  const inspect = 'GET /containers/c1/json';
  const stop = 'POST /containers/c1/stop';

  test.each([
    ['the Engine is still trying', silent],
    ['the Engine gave up', refuse(500, 'cannot stop container')],
  ])('a container that still runs after its time is STOP_TIMEOUT: %s', async (_, answer) => {
    const { port } = scripted({ [inspect]: container('running'), [stop]: answer });
    await expect(port.stopContainer('c1', 5)).rejects.toMatchObject({
      code: 'STOP_TIMEOUT',
      params: { container: 'app', seconds: 5 },
    });
  });

  test('a silent Engine whose container ended all the same has stopped it', async () => {
    const { port } = scripted({ [inspect]: [container('running'), container('exited')], [stop]: silent });
    expect(await port.stopContainer('c1', 5)).toBe('stopped');
  });

  test('an Engine that went away is DOCKER_AWAY, not stopped', async () => {
    const { port } = scripted({ [inspect]: container('running'), [stop]: unreachable });
    await expect(port.stopContainer('c1', 5)).rejects.toMatchObject({ code: 'DOCKER_AWAY' });
  });

  test('a container that somebody started again is not stopped', async () => {
    const { port } = scripted({ [inspect]: container('running'), [stop]: ok() });
    await expect(port.stopContainer('c1', 5)).rejects.toMatchObject({ code: 'CONTAINER_APPEARED' });
  });

  test('unpauses first', async () => {
    const { port, asked } = scripted({
      [inspect]: [container('paused'), container('exited')],
      'POST /containers/c1/unpause': ok(),
      [stop]: ok(),
    });
    expect(await port.stopContainer('c1', 5)).toBe('stopped');
    expect(asked).toEqual([inspect, 'POST /containers/c1/unpause', stop, inspect]);
  });
});

describe('unpause', () => {
  const inspect = 'GET /containers/c1/json';
  const unpause = 'POST /containers/c1/unpause';

  test('a pause that shows although it was lifted is no failure', async () => {
    const { port, asked } = scripted({
      [inspect]: [container('paused'), container('running')],
      [unpause]: refuse(500, 'cannot resume'),
    });
    expect(await port.unpauseContainer('c1')).toBe('unpaused');
    expect(asked).toEqual([unpause, inspect, unpause, inspect]);
  });

  test('one that stays is refused', async () => {
    const { port } = scripted({ [inspect]: container('paused'), [unpause]: refuse(500, 'cannot resume') });
    await expect(port.unpauseContainer('c1')).rejects.toThrow();
  });
});

describe('start', () => {
  test.each([
    ['Bind for 0.0.0.0:8081 failed: port is already allocated', 8081],
    ['Error starting userland proxy: listen tcp4 0.0.0.0:8082: bind: address already in use', 8082],
    ['failed to bind host port for 0.0.0.0:8081:172.17.0.2:80/tcp: address already in use', 8081],
    ['port is already allocated', 8081],
  ])('%s', async (message, taken) => {
    const { port } = scripted({
      'POST /containers/c1/start': refuse(500, message),
      'GET /containers/c1/json': container('created', [8081, 8082]),
    });
    await expect(port.startContainer('c1')).rejects.toMatchObject({ code: 'PORT_TAKEN', params: { port: taken } });
  });

  test('404 for something else than the container is a refusal', async () => {
    const { port } = scripted({
      'POST /containers/c1/start': refuse(404, 'network abc not found'),
      'GET /containers/c1/json': container('created'),
    });
    await expect(port.startContainer('c1')).rejects.toMatchObject({ code: 'DEPLOY_FAILED', retryable: false });
  });
});

test('a failure that comes in the stream of a pull is no success', async () => {
  const { port } = scripted({
    'POST /images/create': { status: 200, text: '{"status":"Pulling"}\r\n{"error":"manifest unknown"}\r\n' },
  });
  await expect(port.pullImage('registry.example/app:1')).rejects.toMatchObject({
    code: 'IMAGE_MISSING',
    params: { why: 'manifest unknown' },
  });
});

test('a removal that is under way is waited for', async () => {
  const remove = 'DELETE /containers/c1';
  const { port, asked } = scripted({
    [remove]: [refuse(409, 'removal of container c1 is already in progress'), ok(404)],
    'GET /containers/c1/json': container('removing'),
  });
  expect(await port.removeContainer('c1', { force: true })).toBe('gone');
  expect(asked.filter((call) => call === remove)).toHaveLength(2);
});

test('text of the Engine reaches errors without control characters and bounded', async () => {
  const { port } = scripted({ 'POST /containers/create': refuse(400, `\u001b[31mred\u0000\n${'x'.repeat(5000)}`) });
  const spec = {
    name: 'a',
    image: 'b',
    env: {},
    command: null,
    labels: {},
    mounts: [],
    ports: [],
    restartPolicy: 'no',
    stopTimeoutSeconds: 1,
  } as const;
  const error: unknown = await port.createContainer(spec).catch((caught: unknown) => caught);
  const { why } = (error as ForgeError).params as { why: string };
  expect(why).toMatch(/^\[31mred x+…$/);
  expect(why).toHaveLength(400);
});
