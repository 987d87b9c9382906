import { ERRORS, renderDetail, type ErrorCode, type ErrorParams } from '@tiny-forge/contracts/domain';
import type { Blocker } from '@tiny-forge/contracts/domain';

/** A blocker or warning of the plan: the catalogue's sentence with its values. */
export function blocker(code: ErrorCode, params: Record<string, string | number | boolean | null>): Blocker {
  return { code, params, message: renderDetail(code, params), next: fill(ERRORS[code].next, params) };
}

const fill = (template: string, params: ErrorParams): string =>
  template.replace(/\{(\w+)\}/g, (whole, name: string) => String(params[name] ?? whole));

const units = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB'];

export function formatBytes(bytes: number): string {
  const power = bytes < 1024 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(bytes) / 10));
  return `${power === 0 ? bytes : (bytes / 1024 ** power).toFixed(1)} ${units[power]}`;
}
