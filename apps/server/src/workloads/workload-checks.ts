import { api } from '@tiny-forge/contracts';
import { isForgeError, type WorkloadConfig } from '@tiny-forge/contracts/domain';
import { resolveVolumes } from '@tiny-forge/plugin-api';
import { RequestError, validationFailed, type Issue } from '../http/problem.ts';
import { issuesOf } from '../http/validate.ts';
import type { Parts } from '../parts.ts';

/**
 * What a workload must be to be saved, beyond the shape of its fields. Names every wrong field at once where that is possible.
 * @throws RequestError VALIDATION_FAILED, or the code of the one thing that is wrong (UNKNOWN_SCOPE, VOLUME_*, …), each with `issues`
 */
export async function checkWorkload(candidate: unknown, workloadId: string, parts: Parts): Promise<WorkloadConfig> {
  const shape = api.workloadConfig.safeParse(candidate);
  if (!shape.success) throw validationFailed(issuesOf(shape.error));
  const config = checkedSource(shape.data, parts);
  const issues = [
    ...hostIssues(config, parts),
    ...portIssues(config),
    ...textIssues(config),
    ...strategyIssues(config),
  ];
  if (issues.length > 0) throw validationFailed(issues);
  await checkVolumes(config, workloadId, parts);
  return config;
}

function checkedSource(config: WorkloadConfig, { registry }: Parts): WorkloadConfig {
  const { plugin } = named('source.type', () => registry.sourceType(config.source.type));
  const source = plugin.config.safeParse(config.source);
  if (!source.success) throw validationFailed(issuesOf(source.error, 'source'));
  return { ...config, source: source.data };
}

async function checkVolumes(config: WorkloadConfig, workloadId: string, parts: Parts): Promise<void> {
  const { registry } = parts;
  const issues = config.volumes.flatMap((volume, index) => {
    const { plugin } = named(`volumes.${index}.scope`, () => registry.scope(volume.scope));
    const source = plugin.source.safeParse(volume.source);
    return source.success ? [] : issuesOf(source.error, `volumes.${index}.source`);
  });
  if (issues.length > 0) throw validationFailed(issues);
  if (config.volumes.length === 0) return;
  const context = await parts.scopeContext(workloadId);
  try {
    await resolveVolumes(config.volumes, registry, context);
  } catch (error) {
    if (!isForgeError(error) || error.kind !== 'invalid') throw error;
    // A scope's own refusal names the path alone.
    const index = error.params['volume'] ?? config.volumes.findIndex(({ source }) => source === error.params['path']);
    const path = typeof index === 'number' && index >= 0 ? `volumes.${index}.source` : 'volumes';
    throw new RequestError(error.code, error.params, {
      issues: [{ path, message: `${error.code}: ${error.message}` }],
      cause: error,
    });
  }
}

/** A refusal of the registry, told at the field that named the unknown thing. */
function named<T>(path: string, ask: () => T): T {
  try {
    return ask();
  } catch (error) {
    if (!isForgeError(error)) throw error;
    throw new RequestError(error.code, error.params, {
      issues: [{ path, message: `${error.code}: ${error.message}` }],
    });
  }
}

/** `local` is an alias of this installation's host. */
function hostIssues(config: WorkloadConfig, { hostId }: Parts): Issue[] {
  return config.host === 'local' || config.host === hostId
    ? []
    : [{ path: 'host', message: 'UNKNOWN_HOST: use local' }];
}

function portIssues(config: WorkloadConfig): Issue[] {
  const taken = new Map<string, string>();
  return config.ports.flatMap((port, index) => {
    if (port.published === undefined) return [];
    const key = `${port.hostIp ?? '*'}:${port.published}/${port.protocol}`;
    const at = `ports.${index}.published`;
    const other = taken.get(key);
    taken.set(key, at);
    return other === undefined ? [] : [{ path: at, message: `the same as ${other}` }];
  });
}

/** The kernel ends an argument or variable at a NUL: what follows it would be lost silently. */
function textIssues(config: WorkloadConfig): Issue[] {
  const bad = (path: string, text: string | null): Issue[] =>
    text?.includes('\0') ? [{ path, message: 'holds a NUL character' }] : [];
  return [
    ...Object.entries(config.env).flatMap(([name, value]) =>
      bad(`env.${name}`, typeof value === 'string' ? value : value.value),
    ),
    ...(config.command ?? []).flatMap((word, index) => bad(`command.${index}`, word)),
  ];
}

function strategyIssues(config: WorkloadConfig): Issue[] {
  if (config.strategy !== 'blue-green') return [];
  const writable = config.volumes.some((volume) => !volume.readOnly && !volume.shared);
  const published = config.ports.some((port) => port.published !== undefined);
  return [
    ...(writable ? [{ path: 'strategy', message: 'blue-green needs its writable volumes to be shared' }] : []),
    ...(published ? [{ path: 'strategy', message: 'blue-green cannot have a published port' }] : []),
  ];
}
