import type { Stack } from './stack.ts';

export interface AuditRow {
  readonly principal: string;
  readonly verb: string;
  readonly target: string;
  readonly outcome: string;
  readonly details: Readonly<Record<string, unknown>>;
}

/** What the audit holds of one verb, oldest first. */
export function auditOf(stack: Stack, verb: string): AuditRow[] {
  return stack
    .query<{ principal: string; verb: string; target: string; outcome: string; details: string }>(
      'select principal, verb, target, outcome, details from audit where verb = ? order by id',
      verb,
    )
    .map((row) => ({ ...row, details: JSON.parse(row.details) as AuditRow['details'] }));
}
