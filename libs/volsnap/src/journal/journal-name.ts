import { createHash } from 'node:crypto';

/** Whose journal a file is. In its name, so that damaged content still tells which workload to hold. */
export interface JournalOwner {
  readonly txId: string;
  readonly workloadId: string;
  readonly operationId: string;
}

export interface JournalName extends JournalOwner {
  readonly epoch: number;
  readonly name: string;
}

const pattern = /^([a-z0-9]+)\.([\w-]+)\.([\w-]+)\.([0-9]{1,4})\.journal$/;

export const journalName = (owner: JournalOwner, epoch: number): string =>
  `${owner.txId}.${owner.workloadId}.${owner.operationId}.${epoch}.journal`;

export function parseJournalName(name: string): JournalName | null {
  const match = pattern.exec(name);
  if (!match) return null;
  const [, txId, workloadId, operationId, epoch] = match as unknown as [string, string, string, string, string];
  return { txId, workloadId, operationId, epoch: Number(epoch), name };
}

/** The transaction of an operation has one id for ever, so that a repeated step finds its own journal. 16 letters keep names short. */
export function txIdOf(operationId: string): string {
  const alphabet = 'abcdefghijklmnopqrstuvwxyz234567';
  const digest = createHash('sha256').update(`tiny-forge transaction ${operationId}`).digest();
  return [...digest.subarray(0, 16)].map((byte) => alphabet[byte & 31]).join('');
}
