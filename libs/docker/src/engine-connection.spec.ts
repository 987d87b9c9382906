import { afterEach, describe, expect, jest, test } from '@jest/globals';
import http from 'node:http';
import type net from 'node:net';
import util from 'node:util';
import { EngineConnection, parseDockerHost } from './engine-connection.ts';

type Handler = (request: http.IncomingMessage, response: http.ServerResponse) => void;

const servers: http.Server[] = [];
afterEach(async () => {
  await Promise.all(
    servers.splice(0).map((server) => {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(resolve));
    }),
  );
});

/** An Engine of our own making: answers /version as told and everything else through `handle`. */
async function engine(
  handle: Handler,
  versions = { ApiVersion: '1.41', MinAPIVersion: '1.12' },
): Promise<EngineConnection> {
  const server = http.createServer((request, response) => {
    if (request.url === '/version') response.end(JSON.stringify(versions));
    else handle(request, response);
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return new EngineConnection(`tcp://127.0.0.1:${(server.address() as net.AddressInfo).port}`);
}

const path = async (versions: { ApiVersion: string; MinAPIVersion: string }): Promise<string> => {
  const connection = await engine((request, response) => response.end(request.url), versions);
  return (await connection.call({ method: 'GET', path: '/info' })).text;
};

test('a request among others makes no long text of what is connected to it', async () => {
  const spied = jest.spyOn(util, 'inspect');
  try {
    const connection = await engine((_, response) => response.end('[]'));
    await connection.call({ method: 'GET', path: '/info' });
    await Promise.all(Array.from({ length: 10 }, () => connection.call({ method: 'GET', path: '/containers/json' })));
    const texts = spied.mock.results.map(({ value }) => String(value));
    expect(texts.filter((text) => text.includes('/containers/json'))).toHaveLength(10);
    expect(Math.max(...texts.map((text) => text.length))).toBeLessThan(2_000);
  } finally {
    spied.mockRestore();
  }
});

describe('version', () => {
  test.each([
    ['Engine 20.10', { ApiVersion: '1.41', MinAPIVersion: '1.12' }, '/v1.41/info'],
    ['a newer Engine that still takes it', { ApiVersion: '1.47', MinAPIVersion: '1.24' }, '/v1.41/info'],
    ['an Engine that no longer takes it', { ApiVersion: '1.52', MinAPIVersion: '1.44' }, '/v1.44/info'],
  ])('%s', async (_, versions, expected) => expect(await path(versions)).toBe(expected));

  test('an Engine older than 20.10 is away, not half-supported', async () => {
    await expect(path({ ApiVersion: '1.40', MinAPIVersion: '1.12' })).rejects.toMatchObject({
      code: 'DOCKER_AWAY',
      params: { reason: 'too-old' },
    });
  });

  test('something else that answers there is no Engine', async () => {
    const connection = await engine(() => {}, 'hello' as never);
    await expect(connection.call({ method: 'GET', path: '/info' })).rejects.toMatchObject({ code: 'DOCKER_AWAY' });
  });

  test('is asked again after the Engine was away', async () => {
    let seen = 0;
    const connection = await engine((request, response) => {
      seen += 1;
      if (seen === 1) request.socket.destroy();
      else response.end(request.url);
    });
    await expect(connection.call({ method: 'GET', path: '/info' })).rejects.toMatchObject({ code: 'DOCKER_AWAY' });
    expect(await connection.call({ method: 'GET', path: '/info' })).toEqual({ status: 200, text: '/v1.41/info' });
  });
});

describe('an Engine that does not answer is DOCKER_AWAY, retryable', () => {
  const away = { code: 'DOCKER_AWAY', retryable: true, kind: 'unavailable' };

  test('no socket', async () => {
    const connection = new EngineConnection('unix:///nonexistent/docker.sock');
    await expect(connection.call({ method: 'GET', path: '/info' })).rejects.toMatchObject(away);
  });

  test('connection refused', async () => {
    const connection = new EngineConnection('tcp://127.0.0.1:9');
    await expect(connection.call({ method: 'GET', path: '/info' })).rejects.toMatchObject(away);
  });

  test('silence', async () => {
    const connection = await engine(() => {});
    await expect(connection.call({ method: 'GET', path: '/info', limitMs: 100 })).rejects.toMatchObject({
      ...away,
      params: { reason: 'silent' },
    });
  });

  test('silence in the middle of an answer', async () => {
    const connection = await engine((_, response) => response.write('{"half'));
    await expect(connection.call({ method: 'GET', path: '/info', limitMs: 100 })).rejects.toMatchObject(away);
  });

  test('an answer cut off', async () => {
    const connection = await engine((_, response) => {
      response.writeHead(200, { 'content-length': '100' });
      response.write('{"half');
      setTimeout(() => response.destroy(), 20);
    });
    await expect(connection.call({ method: 'GET', path: '/info' })).rejects.toMatchObject(away);
  });
});

test('a slow answer that keeps coming is not silence', async () => {
  const connection = await engine((_, response) => {
    let pieces = 0;
    const timer = setInterval(() => {
      response.write('x');
      pieces += 1;
      if (pieces === 6) {
        clearInterval(timer);
        response.end();
      }
    }, 60);
  });
  expect(await connection.call({ method: 'GET', path: '/info', limitMs: 200 })).toEqual({
    status: 200,
    text: 'xxxxxx',
  });
});

test('an aborted signal ends a call at once and leaves no listener behind', async () => {
  const connection = await engine(() => {});
  const abort = new AbortController();
  const call = connection.call({ method: 'GET', path: '/info', signal: abort.signal });
  setTimeout(() => abort.abort(), 50);
  await expect(call).rejects.toMatchObject({ code: 'CANCELLED' });
});

test('status, query and body travel as they are', async () => {
  const connection = await engine((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString()));
    request.on('end', () => {
      response.statusCode = 409;
      response.end(JSON.stringify({ method: request.method, url: request.url, body }));
    });
  });
  const answer = await connection.call({ method: 'POST', path: '/x', query: { name: 'a b&c' }, body: { A: [1] } });
  expect([answer.status, JSON.parse(answer.text)]).toEqual([
    409,
    { method: 'POST', url: '/v1.41/x?name=a%20b%26c', body: '{"A":[1]}' },
  ]);
});

describe('DOCKER_HOST', () => {
  test.each([
    [null, '/var/run/docker.sock'],
    ['unix://', '/var/run/docker.sock'],
    ['unix:///run/user/1000/docker.sock', '/run/user/1000/docker.sock'],
  ])('%s is a socket', (value, socketPath) => expect(parseDockerHost(value)).toMatchObject({ socketPath }));

  test.each([
    ['tcp://10.0.0.1:2375', { host: '10.0.0.1', port: '2375', protocol: 'http' }],
    ['tcp://docker.local', { host: 'docker.local', port: '2375', protocol: 'http' }],
    ['tcp://docker.local:2376', { host: 'docker.local', port: '2376', protocol: 'https' }],
  ])('%s is a host', (value, expected) => expect(parseDockerHost(value)).toMatchObject(expected));

  test.each(['ssh://host', 'npipe:////./pipe/docker', 'nonsense', 'tcp://'])('%s is refused', (value) => {
    expect(() => parseDockerHost(value)).toThrow(expect.objectContaining({ code: 'SETTING_INVALID' }));
  });

  test('the setting counts, not the variable of the process', async () => {
    const before = process.env['DOCKER_HOST'];
    process.env['DOCKER_HOST'] = 'tcp://127.0.0.1:9';
    try {
      const connection = new EngineConnection('unix:///nonexistent/docker.sock');
      await expect(connection.call({ method: 'GET', path: '/info' })).rejects.toMatchObject({
        params: { why: 'ENOENT' },
      });
    } finally {
      if (before === undefined) delete process.env['DOCKER_HOST'];
      else process.env['DOCKER_HOST'] = before;
    }
  });
});
