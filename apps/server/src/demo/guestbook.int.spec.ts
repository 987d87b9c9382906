import { randomUUID } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { LABELS } from '@tiny-forge/contracts/domain';
import { connectDocker, type DockerPort } from '@tiny-forge/docker';
import { testBusybox } from '@tiny-forge/docker/testing';
import { DEMO_IMAGE, loadDemoImage } from './demo-image.ts';
import { freePort } from './free-port.ts';

let docker: DockerPort;
let folder: string;
let container: string;
let url: string;

beforeAll(async () => {
  const dockerHost = process.env['DOCKER_HOST'];
  if (dockerHost === undefined) throw new Error('DOCKER_HOST is not set: run this through `npm test`');
  docker = connectDocker({ dockerHost });
  folder = mkdtempSync(path.join(tmpdir(), 'tf-guestbook-'));
  for (const name of ['data', 'uploads']) mkdirSync(path.join(folder, name));
  await loadDemoImage(docker, AbortSignal.timeout(60_000), testBusybox());
  const image = await docker.inspectImage(DEMO_IMAGE);
  const published = await freePort('127.0.0.1', 28_080);
  const made = await docker.createContainer({
    name: `tf-spec-guestbook-${randomUUID().slice(0, 8)}`,
    image: image?.id ?? '',
    env: {},
    command: null,
    labels: { [LABELS.role]: 'spec' },
    mounts: ['data', 'uploads'].map((name) => ({
      source: path.join(folder, name),
      target: `/${name}`,
      readOnly: false,
    })),
    ports: [{ container: 8080, published, protocol: 'tcp', hostIp: '127.0.0.1' }],
    restartPolicy: 'no',
    stopTimeoutSeconds: 10,
  });
  container = made.id;
  await docker.startContainer(container);
  url = `http://127.0.0.1:${published}/`;
  for (let left = 100; left > 0; left -= 1) {
    const isUp = await fetch(`${url}cgi-bin/health`).then(
      (answer) => answer.ok,
      () => false,
    );
    if (isUp) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error('the guestbook does not answer');
}, 120_000);
afterAll(async () => {
  if (container) await docker.removeContainer(container, { force: true });
  rmSync(folder, { recursive: true, force: true });
});

const page = async (): Promise<string> => (await fetch(url)).text();
const send = (form: Record<string, string>): Promise<Response> =>
  fetch(url, { method: 'POST', body: new URLSearchParams(form), redirect: 'manual' });
const entries = (): string[] => readdirSync(path.join(folder, 'data'));

describe('the guestbook', () => {
  it('shows what was written, line by line, and an entry of each in both volumes', async () => {
    expect(await page()).toContain('Nothing here.');
    expect((await send({ action: 'sign', name: 'Visitor', text: 'one\nдва + 50% & more' })).status).toBe(303);
    expect(await page()).toContain('<strong>Visitor\n</strong>');
    expect(await page()).toContain('<p>one\nдва + 50% &amp; more\n</p>');
    expect(entries()).toHaveLength(1);
    expect(readdirSync(path.join(folder, 'uploads'))).toHaveLength(1);
  });

  it.each([
    '<script>alert(1)</script>',
    '"><img src=x onerror=alert(1)>',
    "'; rm -rf /data; echo '",
    '$(touch /data/owned) `touch /data/owned`',
    '-n',
    '-e \\x3cscript\\x3e',
    '%s%n%d',
    '\u001b[31m\u0007\u0000end',
    '../../etc/passwd',
    'a&action=wreck',
  ])('hostile input %j is shown as it is or not at all, and never obeyed', async (text) => {
    const before = entries().length;
    await send({ action: 'sign', name: text, text });
    const html = await page();
    expect(html).not.toMatch(/<script|<img|onerror=[^&]*>/);

    expect(html).not.toMatch(/[\u0000-\u0008\u000b-\u001f]/);
    expect(entries()).toHaveLength(before + 1);
    expect(entries()).not.toContain('owned');
    expect(html).toContain(text.startsWith('<script>') ? '&lt;script&gt;' : '<article>');
  });

  it('refuses what is too long, empty or unknown', async () => {
    const before = entries().length;
    expect((await send({ action: 'sign', text: 'x'.repeat(9_000) })).status).toBe(413);
    expect((await send({ action: 'sign', text: '' })).status).toBe(303);
    expect((await send({ action: 'format' })).status).toBe(400);
    expect(entries()).toHaveLength(before);
  });

  it('wrecks everything in both volumes, and keeps the directories', async () => {
    await send({ action: 'wreck' });
    expect(entries()).toEqual([]);
    expect(readdirSync(path.join(folder, 'uploads'))).toEqual([]);
    expect(await page()).toContain('Nothing here.');
  });

  it('stops at once when asked', async () => {
    const started = Date.now();
    expect(await docker.stopContainer(container, 10)).toBe('stopped');
    expect(Date.now() - started).toBeLessThan(8_000);
  });
});
