import type { Operation } from '@tiny-forge/contracts/domain';
import { type Failure, codeOf } from '../api/failure.ts';

/** A report to paste somewhere: English, UTC, ids and codes; no bodies, no variables, no secrets. */
export function failureReport(failure: Failure, path: string): string {
  const lines = [
    'Tiny Forge report',
    `time: ${new Date(failure.at).toISOString()}`,
    `page: ${path}`,
    `code: ${codeOf(failure)}`,
  ];
  if (failure.kind === 'problem') {
    const { problem } = failure;
    lines.push(`status: ${String(failure.status)}`);
    for (const [key, value] of Object.entries(problem.params)) lines.push(`${key}: ${JSON.stringify(value)}`);
    for (const [label, text] of [
      ['detail', problem.detail],
      ['state', problem.state],
      ['next', problem.next],
    ] as const) {
      if (text !== '') lines.push(`${label}: ${text}`);
    }
    if (problem.operationId !== undefined) lines.push(`operation: ${problem.operationId}`);
  }
  return lines.join('\n');
}

export function operationReport(operation: Operation): string {
  const lines = [
    'Tiny Forge report',
    `time: ${new Date(operation.serverTime).toISOString()}`,
    `operation: ${operation.id} (${operation.kind}, ${operation.state}, revision ${String(operation.revision)})`,
    `workload: ${operation.workload.project}/${operation.workload.stage}/${operation.workload.name} (${operation.workloadId})`,
    `app: ${operation.situation.app}, data: ${operation.situation.data}, since ${operation.situation.since}`,
    `workflow: ${operation.workflow.workflowId} ${operation.workflow.runId ?? ''}`.trim(),
  ];
  if (operation.snapshotId !== undefined) lines.push(`snapshot: ${operation.snapshotId}`);
  for (const step of operation.steps) {
    lines.push(
      `step ${step.name}: ${step.state}, tries ${String(step.attempts)}, ${step.startedAt ?? '-'} to ${step.endedAt ?? '-'}${step.detail === null ? '' : `, ${step.detail}`}`,
    );
  }
  if (operation.error !== undefined) {
    lines.push(`code: ${operation.error.code}`);
    for (const [key, value] of Object.entries(operation.error.params)) lines.push(`${key}: ${JSON.stringify(value)}`);
    lines.push(`detail: ${operation.error.detail}`, `state: ${operation.error.state}`, `next: ${operation.error.next}`);
  }
  for (const volume of operation.operatorGuide?.volumes ?? []) {
    lines.push(
      `volume ${volume.target}: ${volume.livePath} = ${volume.live}; ${volume.otherPath ?? '-'} = ${volume.other}`,
    );
  }
  return lines.join('\n');
}
