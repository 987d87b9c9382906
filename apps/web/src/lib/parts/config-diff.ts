import type { Workload } from '@tiny-forge/contracts/domain';
import type { Messages } from '../i18n/en.ts';

/** Names, in the reader's language, of the settings in which two revisions of a workload differ. */
export function changedSettings(before: Workload, after: Workload, m: Messages): string[] {
  const { form } = m;
  const parts: readonly (readonly [string, (w: Workload) => unknown])[] = [
    [form.image, (w) => w.source],
    [form.command, (w) => w.command],
    [form.env, (w) => w.env],
    [form.ports, (w) => w.ports],
    [form.volumes, (w) => w.volumes.map(({ scope, source, target, readOnly }) => [scope, source, target, readOnly])],
    [form.health, (w) => w.health],
    [form.limits, (w) => [w.stopTimeoutSeconds, w.maxPauseSeconds, w.strategy, w.codec]],
  ];
  return parts
    .filter(([, of]) => JSON.stringify(of(before)) !== JSON.stringify(of(after)))
    .map(([label]) => label.toLocaleLowerCase());
}
