import { ForgeError } from './error.ts';

export interface Setting {
  readonly name: string;
  /** As `npm start -- --help` prints it. */
  readonly defaultText: string;
  readonly meaning: string;
}

/** Every setting of the product (api.md, Settings). The only place that names them. */
export const SETTINGS = [
  {
    name: 'TINY_FORGE_DATA',
    defaultText: '.tiny-forge in the checkout',
    meaning:
      'everything that must survive: database, snapshots, journals, locks, keys, volumes, the embedded Temporal file',
  },
  { name: 'TINY_FORGE_HOST', defaultText: '127.0.0.1', meaning: 'address to listen on' },
  { name: 'TINY_FORGE_PORT', defaultText: '4400', meaning: 'port to listen on' },
  { name: 'TINY_FORGE_ADMIN_PASSWORD', defaultText: 'generated once, printed once', meaning: 'password of admin' },
  { name: 'TINY_FORGE_DEMO', defaultText: '1', meaning: '1 makes the demo workload at first start, 0 does not' },
  {
    name: 'TINY_FORGE_ALLOWED_ROOTS',
    defaultText: 'empty',
    meaning: 'colon-separated absolute folders under which scope absolute may bind',
  },
  {
    name: 'TINY_FORGE_OPERATOR_WAIT_SECONDS',
    defaultText: '300',
    meaning: 'how long a failed step waits for retry-step or abort before it is undone; 0 = undo at once',
  },
  { name: 'TINY_FORGE_ROLE', defaultText: 'all', meaning: 'all, api, control or host' },
  { name: 'TINY_FORGE_CODEC', defaultText: 'zstd', meaning: 'zstd or gzip, for new snapshots' },
  {
    name: 'TINY_FORGE_SAFETY_DAYS',
    defaultText: '7',
    meaning: 'days that pre-restore snapshots stay and undo is possible',
  },
  {
    name: 'TEMPORAL_ADDRESS',
    defaultText: 'embedded dev server',
    meaning: 'host:port of a Temporal server of your own',
  },
  { name: 'TEMPORAL_NAMESPACE', defaultText: 'tiny-forge', meaning: 'namespace in that server' },
  { name: 'TEMPORAL_API_KEY', defaultText: 'none', meaning: 'API key for that server (implies TLS)' },
  { name: 'TEMPORAL_TLS', defaultText: '0', meaning: '1 connects with TLS' },
  { name: 'TEMPORAL_TLS_CA', defaultText: 'none', meaning: 'file with the CA certificate, PEM' },
  { name: 'TEMPORAL_TLS_CERT', defaultText: 'none', meaning: 'file with the client certificate, PEM' },
  { name: 'TEMPORAL_TLS_KEY', defaultText: 'none', meaning: 'file with the client key, PEM' },
  {
    name: 'TEMPORAL_UI_URL',
    defaultText: 'that of the embedded server',
    meaning: 'where the Temporal UI is, for links',
  },
  { name: 'DOCKER_HOST', defaultText: 'local socket, else one we start', meaning: 'the Docker Engine' },
] as const satisfies readonly Setting[];

export type Role = 'all' | 'api' | 'control' | 'host';

export interface Settings {
  /** Absolute path. */
  readonly dataDir: string;
  readonly host: string;
  readonly port: number;
  readonly adminPassword: string | null;
  readonly demo: boolean;
  /** Absolute paths, as given, without trailing slash. */
  readonly allowedRoots: readonly string[];
  readonly operatorWaitSeconds: number;
  readonly role: Role;
  readonly codec: 'zstd' | 'gzip';
  readonly safetyDays: number;
  readonly temporal: {
    /** null: no server known; `npm start` sets the embedded one. */
    readonly address: string | null;
    readonly namespace: string;
    readonly apiKey: string | null;
    readonly tls: boolean;
    readonly tlsCaFile: string | null;
    readonly tlsCertFile: string | null;
    readonly tlsKeyFile: string | null;
    readonly uiUrl: string | null;
  };
  readonly dockerHost: string | null;
}

type Env = Readonly<Record<string, string | undefined>>;

/**
 * Reads and checks all settings. Empty values count as unset.
 * @param env usually `process.env`
 * @param defaultDataDir absolute path used when TINY_FORGE_DATA is unset
 * @throws ForgeError SETTING_UNKNOWN for a TINY_FORGE_* that is none of ours, SETTING_INVALID naming what is allowed
 */
export function parseSettings(env: Env, defaultDataDir: string): Settings {
  const known = new Set<string>(SETTINGS.map((setting) => setting.name));
  for (const name of Object.keys(env)) {
    if (name.startsWith('TINY_FORGE_') && !known.has(name)) {
      throw new ForgeError({ code: 'SETTING_UNKNOWN', params: { name } });
    }
  }
  const get = (name: (typeof SETTINGS)[number]['name']): string | null => {
    const value = env[name];
    return value === undefined || value === '' ? null : value;
  };
  const bad = (name: string, value: string, allowed: string): ForgeError =>
    new ForgeError({
      code: 'SETTING_INVALID',
      params: { name, value: /PASSWORD|KEY/.test(name) ? '(hidden)' : value, allowed },
    });
  const oneOf = <T extends string>(name: (typeof SETTINGS)[number]['name'], allowed: readonly T[], fallback: T): T => {
    const value = get(name);
    if (value === null) return fallback;
    if (!(allowed as readonly string[]).includes(value)) throw bad(name, value, `allowed are ${allowed.join(', ')}`);
    return value as T;
  };
  const integer = (name: (typeof SETTINGS)[number]['name'], min: number, max: number, fallback: number): number => {
    const value = get(name);
    if (value === null) return fallback;
    if (!/^(0|[1-9][0-9]{0,8})$/.test(value) || Number(value) < min || Number(value) > max) {
      throw bad(name, value, `a whole number from ${min} to ${max}`);
    }
    return Number(value);
  };
  const absolute = (name: string, value: string, whole = value): string => {
    const parts = value.split('/').slice(1);
    const trimmed = value.length > 1 ? value.replace(/\/+$/, '') : value;
    if (!value.startsWith('/') || parts.includes('..') || parts.includes('.') || value.includes('\0')) {
      throw bad(name, whole, 'an absolute path without . and ..');
    }
    return trimmed === '' ? '/' : trimmed;
  };

  const host = get('TINY_FORGE_HOST') ?? '127.0.0.1';
  if (!/^[A-Za-z0-9.:_-]{1,253}$/.test(host)) throw bad('TINY_FORGE_HOST', host, 'an IP address or host name');
  const address = get('TEMPORAL_ADDRESS');
  if (address !== null && !/^[^\s/]+:[0-9]{1,5}$/.test(address)) throw bad('TEMPORAL_ADDRESS', address, 'host:port');
  const namespace = get('TEMPORAL_NAMESPACE') ?? 'tiny-forge';
  const password = get('TINY_FORGE_ADMIN_PASSWORD');
  if (password !== null && password.length > 1024) {
    throw bad('TINY_FORGE_ADMIN_PASSWORD', password, '1 to 1024 characters');
  }
  const uiUrl = get('TEMPORAL_UI_URL');
  if (uiUrl !== null && !/^https?:\/\/\S+$/.test(uiUrl)) throw bad('TEMPORAL_UI_URL', uiUrl, 'an http(s) address');
  const dockerHost = get('DOCKER_HOST');
  if (dockerHost !== null && !/^(unix|tcp|http|https|ssh|npipe):\/\/\S+$/.test(dockerHost)) {
    throw bad('DOCKER_HOST', dockerHost, 'unix:///path or tcp://host:port');
  }
  const dataDir = get('TINY_FORGE_DATA');
  const roots = get('TINY_FORGE_ALLOWED_ROOTS');
  return {
    dataDir: dataDir === null ? defaultDataDir : absolute('TINY_FORGE_DATA', dataDir),
    host,
    port: integer('TINY_FORGE_PORT', 0, 65535, 4400),
    adminPassword: password,
    demo: oneOf('TINY_FORGE_DEMO', ['0', '1'], '1') === '1',
    allowedRoots:
      roots === null
        ? []
        : roots
            .split(':')
            .filter((root) => root !== '')
            .map((root) => absolute('TINY_FORGE_ALLOWED_ROOTS', root, roots)),
    operatorWaitSeconds: integer('TINY_FORGE_OPERATOR_WAIT_SECONDS', 0, 604_800, 300),
    role: oneOf<Role>('TINY_FORGE_ROLE', ['all', 'api', 'control', 'host'], 'all'),
    codec: oneOf('TINY_FORGE_CODEC', ['zstd', 'gzip'], 'zstd'),
    safetyDays: integer('TINY_FORGE_SAFETY_DAYS', 1, 3650, 7),
    temporal: {
      address,
      namespace,
      apiKey: get('TEMPORAL_API_KEY'),
      tls: oneOf('TEMPORAL_TLS', ['0', '1'], '0') === '1' || get('TEMPORAL_API_KEY') !== null,
      tlsCaFile: get('TEMPORAL_TLS_CA'),
      tlsCertFile: get('TEMPORAL_TLS_CERT'),
      tlsKeyFile: get('TEMPORAL_TLS_KEY'),
      uiUrl,
    },
    dockerHost,
  };
}
