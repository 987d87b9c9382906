import type { Snapshot } from '@tiny-forge/contracts/domain';

/** The restore whose data of before this snapshot brings back, while that can be undone; null: there is none. */
export function undoneBy({ kind, state, operationId, pins }: Snapshot): string | null {
  if (kind !== 'pre-restore' || state !== 'READY' || operationId === null) return null;
  return pins.some((pin) => pin.operationId === operationId && pin.reason === 'undo') ? operationId : null;
}
