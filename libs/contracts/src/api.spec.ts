import { describe, expect, it } from '@jest/globals';
import { createWorkloadBody, restoreBody } from './api.ts';
import { manifest } from './manifest.ts';

const minimal = { name: 'guestbook', project: 'demo', stage: 'prod', source: { type: 'image', image: 'guestbook:1' } };

describe('the body that makes a workload', () => {
  it('needs five fields and fills in the rest', () => {
    expect(createWorkloadBody.parse(minimal)).toEqual({
      ...minimal,
      host: 'local',
      env: {},
      command: null,
      ports: [],
      volumes: [],
      health: { type: 'stable', stableSeconds: 3, timeoutSeconds: 60, intervalSeconds: 1 },
      strategy: 'recreate',
      stopTimeoutSeconds: 10,
      maxPauseSeconds: 120,
      codec: null,
    });
  });

  it.each([
    ['an unknown field', { ...minimal, volume: [] }],
    ['an upper-case name', { ...minimal, name: 'Guestbook' }],
    ['a name that ends with a hyphen', { ...minimal, name: 'a-' }],
    ['a port of 0', { ...minimal, ports: [{ container: 0 }] }],
    ['a volume at /', { ...minimal, volumes: [{ scope: 'stage', source: 'data', target: '/' }] }],
    ['a target with ..', { ...minimal, volumes: [{ scope: 'stage', source: 'data', target: '/a/../b' }] }],
    ['a link tier of 3', { ...minimal, volumes: [{ scope: 'stage', source: 'data', target: '/a', links: 3 }] }],
    ['an unknown health type', { ...minimal, health: { type: 'ping' } }],
  ])('refuses %s', (_what, body) => {
    expect(createWorkloadBody.safeParse(body).success).toBe(false);
  });
});

describe('the body of a restore', () => {
  it('may be empty, and refuses unknown fields', () => {
    expect(restoreBody.parse({})).toEqual({});
    expect(restoreBody.safeParse({ force: true }).success).toBe(false);
  });
});

describe('the manifest', () => {
  it('refuses a host path and unknown versions', () => {
    const good = {
      formatVersion: 1,
      quiesce: 'pause',
      volumes: [{ index: 0, target: '/data', scope: 'stage', source: 'data' }],
    };
    expect(manifest.safeParse(good).success).toBe(true);
    expect(manifest.safeParse({ ...good, formatVersion: 2 }).success).toBe(false);
    expect(manifest.safeParse({ ...good, volumes: [{ ...good.volumes[0], hostPath: '/etc' }] }).success).toBe(false);
  });
});
