import { describe, expect, it } from '@jest/globals';
import { isForgeError } from './error.ts';
import { parseSettings, SETTINGS } from './settings.ts';

const DATA = '/srv/data';
const refusal = (env: Record<string, string>): { code: string; params: Record<string, unknown> } => {
  try {
    parseSettings(env, DATA);
  } catch (error) {
    if (isForgeError(error)) return { code: error.code, params: { ...error.params } };
    throw error;
  }
  throw new Error('was accepted');
};

describe('settings', () => {
  it('has a default for everything', () => {
    expect(parseSettings({}, DATA)).toEqual({
      dataDir: DATA,
      host: '127.0.0.1',
      port: 4400,
      adminPassword: null,
      demo: true,
      allowedRoots: [],
      operatorWaitSeconds: 300,
      role: 'all',
      codec: 'zstd',
      safetyDays: 7,
      temporal: {
        address: null,
        namespace: 'tiny-forge',
        apiKey: null,
        tls: false,
        tlsCaFile: null,
        tlsCertFile: null,
        tlsKeyFile: null,
        uiUrl: null,
      },
      dockerHost: null,
    });
  });

  it('takes empty values as unset', () => {
    expect(parseSettings({ TINY_FORGE_PORT: '', TINY_FORGE_DATA: '' }, DATA)).toEqual(parseSettings({}, DATA));
  });

  it('reads every setting', () => {
    const settings = parseSettings(
      {
        TINY_FORGE_DATA: '/d/',
        TINY_FORGE_ALLOWED_ROOTS: '/srv:/mnt/x/',
        TINY_FORGE_OPERATOR_WAIT_SECONDS: '0',
        TINY_FORGE_ROLE: 'api',
        TEMPORAL_API_KEY: 'k',
      },
      DATA,
    );
    expect(settings).toMatchObject({
      dataDir: '/d',
      allowedRoots: ['/srv', '/mnt/x'],
      operatorWaitSeconds: 0,
      role: 'api',
      temporal: { tls: true },
    });
  });

  it('refuses an unknown name of ours and leaves others alone', () => {
    expect(refusal({ TINY_FORGE_PROT: '1' })).toEqual({ code: 'SETTING_UNKNOWN', params: { name: 'TINY_FORGE_PROT' } });
    expect(() => parseSettings({ PATH: '/bin', TINY_FORGED: 'x' }, DATA)).not.toThrow();
  });

  it.each([
    ['TINY_FORGE_PORT', '65536'],
    ['TINY_FORGE_PORT', '080'],
    ['TINY_FORGE_PORT', '4400x'],
    ['TINY_FORGE_DATA', 'relative/path'],
    ['TINY_FORGE_DATA', '/a/../b'],
    ['TINY_FORGE_HOST', 'a b'],
    ['TINY_FORGE_DEMO', 'yes'],
    ['TINY_FORGE_ROLE', 'worker'],
    ['TINY_FORGE_CODEC', 'lz4'],
    ['TINY_FORGE_ALLOWED_ROOTS', '/srv:relative'],
    ['TINY_FORGE_OPERATOR_WAIT_SECONDS', '-1'],
    ['TINY_FORGE_SAFETY_DAYS', '0'],
    ['TEMPORAL_ADDRESS', 'http://x'],
    ['DOCKER_HOST', '/var/run/docker.sock'],
  ])('refuses %s=%s, naming it and what is allowed', (name, value) => {
    const { code, params } = refusal({ [name]: value });
    expect(code).toBe('SETTING_INVALID');
    expect(params).toMatchObject({ name, value });
    expect(String(params['allowed']).length).toBeGreaterThan(5);
  });

  it('never repeats a secret', () => {
    expect(refusal({ TINY_FORGE_ADMIN_PASSWORD: 'x'.repeat(1025) }).params['value']).toBe('(hidden)');
  });

  it('documents each name once', () => {
    expect(new Set(SETTINGS.map((setting) => setting.name)).size).toBe(SETTINGS.length);
    for (const setting of SETTINGS) expect(setting.meaning).not.toBe('');
  });
});
