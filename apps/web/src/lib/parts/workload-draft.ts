import type { HealthConfig, Workload } from '@tiny-forge/contracts/domain';

/** The form's own state: every field as typed. `toConfig` makes the request of it, `fromWorkload` the form of an existing app. */
export interface Draft {
  name: string;
  project: string;
  stage: string;
  image: string;
  pull: 'missing' | 'always' | 'never';
  command: string;
  ports: { container: string; published: string; protocol: 'tcp' | 'udp'; hostIp: string }[];
  env: { name: string; value: string; secret: boolean; kept: boolean }[];
  volumes: {
    scope: string;
    source: string;
    target: string;
    readOnly: boolean;
    links: 0 | 1 | 2;
    shared: boolean;
    hostPath: string | null;
  }[];
  health: {
    type: HealthConfig['type'];
    port: string;
    path: string;
    command: string;
    stableSeconds: string;
    timeoutSeconds: string;
    intervalSeconds: string;
  };
  stopTimeoutSeconds: string;
  maxPauseSeconds: string;
}

export const emptyPort = (): Draft['ports'][number] => ({ container: '', published: '', protocol: 'tcp', hostIp: '' });
export const emptyEnv = (): Draft['env'][number] => ({ name: '', value: '', secret: false, kept: false });
export const emptyVolume = (): Draft['volumes'][number] => ({
  scope: 'stage',
  source: 'data',
  target: '/data',
  readOnly: false,
  links: 2,
  shared: false,
  hostPath: null,
});

export function emptyDraft(): Draft {
  return {
    name: '',
    project: '',
    stage: 'prod',
    image: '',
    pull: 'missing',
    command: '',
    ports: [],
    env: [],
    volumes: [],
    health: {
      type: 'stable',
      port: '',
      path: '/',
      command: '',
      stableSeconds: '3',
      timeoutSeconds: '60',
      intervalSeconds: '1',
    },
    stopTimeoutSeconds: '10',
    maxPauseSeconds: '120',
  };
}

export function fromWorkload(workload: Workload): Draft {
  const source = workload.source as { image?: string; pull?: Draft['pull'] };
  const { health } = workload;
  const base = emptyDraft();
  return {
    name: workload.name,
    project: workload.project,
    stage: workload.stage,
    image: source.image ?? '',
    pull: source.pull ?? 'missing',
    command: (workload.command ?? []).join('\n'),
    ports: workload.ports.map((port) => ({
      container: String(port.container),
      published: port.published === undefined ? '' : String(port.published),
      protocol: port.protocol,
      hostIp: port.hostIp ?? '',
    })),
    env: Object.entries(workload.env).map(([name, value]) =>
      typeof value === 'string'
        ? { name, value, secret: false, kept: false }
        : { name, value: '', secret: true, kept: true },
    ),
    volumes: workload.volumes.map(({ scope, source: folder, target, readOnly, links, shared, hostPath }) => ({
      scope,
      source: folder,
      target,
      readOnly,
      links,
      shared,
      hostPath,
    })),
    health: {
      ...base.health,
      type: health.type,
      timeoutSeconds: String(health.timeoutSeconds),
      intervalSeconds: String(health.intervalSeconds),
      ...('port' in health ? { port: String(health.port) } : {}),
      ...('path' in health ? { path: health.path } : {}),
      ...('command' in health ? { command: health.command.join('\n') } : {}),
      ...('stableSeconds' in health ? { stableSeconds: String(health.stableSeconds) } : {}),
    },
    stopTimeoutSeconds: String(workload.stopTimeoutSeconds),
    maxPauseSeconds: String(workload.maxPauseSeconds),
  };
}

const whole = (text: string): number => (/^\d+$/.test(text.trim()) ? Number(text.trim()) : Number.NaN);
const lines = (text: string): string[] => text.split('\n').filter((line) => line !== '');

/** What the form says as the body of a create. A field that is no number stays NaN and is caught by `fieldErrors` first. */
export function toConfig(draft: Draft): Record<string, unknown> {
  const command = lines(draft.command);
  return {
    name: draft.name.trim(),
    project: draft.project.trim(),
    stage: draft.stage.trim(),
    source: { type: 'image', image: draft.image.trim(), pull: draft.pull },
    command: command.length === 0 ? null : command,
    ports: draft.ports.map((port) => ({
      container: whole(port.container),
      ...(port.published.trim() === '' ? {} : { published: whole(port.published) }),
      protocol: port.protocol,
      ...(port.hostIp === '' ? {} : { hostIp: port.hostIp }),
    })),
    env: Object.fromEntries(
      draft.env.map((item) => [
        item.name.trim(),
        item.secret ? { value: item.kept && item.value === '' ? null : item.value, secret: true } : item.value,
      ]),
    ),
    volumes: draft.volumes.map(({ scope, source, target, readOnly, links, shared }) => ({
      scope,
      source: source.trim(),
      target: target.trim(),
      readOnly,
      links,
      shared,
    })),
    health: healthConfig(draft.health),
    stopTimeoutSeconds: whole(draft.stopTimeoutSeconds),
    maxPauseSeconds: whole(draft.maxPauseSeconds),
  };
}

function healthConfig(health: Draft['health']): Record<string, unknown> {
  const timing = { timeoutSeconds: whole(health.timeoutSeconds), intervalSeconds: whole(health.intervalSeconds) };
  switch (health.type) {
    case 'http':
      return { type: 'http', port: whole(health.port), path: health.path, ...timing };
    case 'tcp':
      return { type: 'tcp', port: whole(health.port), ...timing };
    case 'exec':
      return { type: 'exec', command: lines(health.command), ...timing };
    case 'docker':
      return { type: 'docker', ...timing };
    case 'stable':
      return { type: 'stable', stableSeconds: whole(health.stableSeconds), ...timing };
  }
}

/**
 * JSON merge patch from an app to the form: only what differs. `env` is an object, so that removed names must be said as null; a secret
 * left alone is left out.
 */
export function toPatch(workload: Workload, draft: Draft): Record<string, unknown> {
  const before = toConfig(fromWorkload(workload));
  const after = toConfig(draft);
  const patch: Record<string, unknown> = {};
  for (const key of Object.keys(after)) {
    if (key !== 'env' && JSON.stringify(before[key]) !== JSON.stringify(after[key])) patch[key] = after[key];
  }
  // A probe of another type keeps no field of the old one.
  if (patch['health'] !== undefined && workload.health.type !== draft.health.type) {
    const gone = Object.keys(workload.health).filter((key) => !(key in (patch['health'] as object)));
    patch['health'] = { ...Object.fromEntries(gone.map((key) => [key, null])), ...(patch['health'] as object) };
  }
  const env: Record<string, unknown> = {};
  const next = after['env'] as Record<string, unknown>;
  for (const name of Object.keys(workload.env)) if (!(name in next)) env[name] = null;
  for (const item of draft.env) {
    const name = item.name.trim();
    if (item.kept && item.secret && item.value === '') continue;
    if (JSON.stringify(workload.env[name]) !== JSON.stringify(next[name])) env[name] = next[name];
  }
  if (Object.keys(env).length > 0) patch['env'] = env;
  return patch;
}

export type FieldProblem = 'missing' | 'number' | 'slug';
const SLUG = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;

/** What is plainly wrong before asking the server; keys are paths as the server writes them. */
export function fieldErrors(draft: Draft): Map<string, FieldProblem> {
  const wrong = new Map<string, FieldProblem>();
  const need = (path: string, value: string) => {
    if (value.trim() === '') wrong.set(path, 'missing');
  };
  const number = (path: string, value: string) => {
    if (Number.isNaN(whole(value))) wrong.set(path, 'number');
  };
  for (const key of ['name', 'project', 'stage'] as const) if (!SLUG.test(draft[key].trim())) wrong.set(key, 'slug');
  need('source.image', draft.image);
  draft.ports.forEach((port, index) => {
    number(`ports.${String(index)}.container`, port.container);
    if (port.published.trim() !== '') number(`ports.${String(index)}.published`, port.published);
  });
  draft.env.forEach((item, index) => need(`env.${String(index)}`, item.name));
  draft.volumes.forEach((volume, index) => {
    need(`volumes.${String(index)}.source`, volume.source);
    need(`volumes.${String(index)}.target`, volume.target);
  });
  if (draft.health.type === 'http' || draft.health.type === 'tcp') number('health.port', draft.health.port);
  if (draft.health.type === 'exec') need('health.command', draft.health.command);
  if (draft.health.type === 'stable') number('health.stableSeconds', draft.health.stableSeconds);
  number('health.timeoutSeconds', draft.health.timeoutSeconds);
  number('stopTimeoutSeconds', draft.stopTimeoutSeconds);
  number('maxPauseSeconds', draft.maxPauseSeconds);
  return wrong;
}
