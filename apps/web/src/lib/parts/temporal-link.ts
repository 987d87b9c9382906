import type { Operation } from '@tiny-forge/contracts/domain';

/** Into Temporal's own UI, to the run of this operation. `base` is the UI, or already a namespace in it. Only http(s) is linked. */
export function temporalLink(base: string, operation?: Operation): string | undefined {
  if (!/^https?:\/\//.test(base)) return undefined;
  const root = base.replace(/\/+$/, '');
  if (operation === undefined) return root;
  const namespace = root.includes('/namespaces/') ? root.replace(/\/workflows$/, '') : `${root}/namespaces/default`;
  const { workflowId, runId } = operation.workflow;
  const run = runId === null ? '' : `/${encodeURIComponent(runId)}/history`;
  return `${namespace}/workflows/${encodeURIComponent(workflowId)}${run}`;
}
