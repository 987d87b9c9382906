import { describe, expect, it } from '@jest/globals';
import type { Workload } from '@tiny-forge/contracts/domain';
import { api } from '@tiny-forge/contracts';
import { emptyDraft, emptyPort, emptyVolume, fieldErrors, fromWorkload, toConfig, toPatch } from './workload-draft.ts';

const workload = {
  id: 'w',
  name: 'guestbook',
  project: 'demo',
  stage: 'prod',
  host: 'local',
  source: { type: 'image', image: 'guestbook:1', pull: 'missing' },
  env: { GREETING: 'hello', TOKEN: { value: null, secret: true } },
  command: null,
  ports: [{ container: 8080, published: 18_080, protocol: 'tcp' }],
  volumes: [
    { scope: 'stage', source: 'data', target: '/data', readOnly: false, links: 2, shared: false, hostPath: '/x/data' },
  ],
  health: { type: 'http', port: 8080, path: '/', timeoutSeconds: 60, intervalSeconds: 1 },
  strategy: 'recreate',
  stopTimeoutSeconds: 10,
  maxPauseSeconds: 120,
  codec: null,
} as unknown as Workload;

describe('the form of an app', () => {
  it('makes a body the contract accepts', () => {
    const draft = {
      ...emptyDraft(),
      name: 'shop',
      project: 'work',
      image: 'shop:1',
      ports: [{ ...emptyPort(), container: '80' }],
      volumes: [emptyVolume()],
    };
    expect(fieldErrors(draft).size).toBe(0);
    expect(api.createWorkloadBody.safeParse(toConfig(draft)).error).toBeUndefined();
  });

  it('names what is missing, by the path the server would name', () => {
    const draft = {
      ...emptyDraft(),
      name: 'Shop',
      ports: [{ ...emptyPort(), container: 'x' }],
      health: { ...emptyDraft().health, type: 'http' as const },
    };
    expect(Object.fromEntries(fieldErrors(draft))).toEqual({
      name: 'slug',
      project: 'slug',
      'source.image': 'missing',
      'ports.0.container': 'number',
      'health.port': 'number',
    });
  });

  it('untouched, changes nothing', () => {
    expect(toPatch(workload, fromWorkload(workload))).toEqual({});
  });

  it('says only what differs; a secret left alone stays where it is', () => {
    const draft = fromWorkload(workload);
    draft.image = 'guestbook:2';
    draft.env[0] = { name: 'GREETING', value: 'hi', secret: false, kept: false };
    expect(toPatch(workload, draft)).toEqual({
      source: { type: 'image', image: 'guestbook:2', pull: 'missing' },
      env: { GREETING: 'hi' },
    });
  });

  it('a removed variable and a removed probe field are said as null', () => {
    const draft = fromWorkload(workload);
    draft.env = draft.env.filter((item) => item.name !== 'GREETING');
    draft.health.type = 'docker';
    expect(toPatch(workload, draft)).toEqual({
      env: { GREETING: null },
      health: { type: 'docker', timeoutSeconds: 60, intervalSeconds: 1, port: null, path: null },
    });
  });

  it('a new secret is sent once', () => {
    const draft = fromWorkload(workload);
    const token = draft.env[1];
    if (token === undefined) throw new Error('no secret');
    token.value = 's3cret';
    expect(toPatch(workload, draft)).toEqual({ env: { TOKEN: { value: 's3cret', secret: true } } });
  });
});
