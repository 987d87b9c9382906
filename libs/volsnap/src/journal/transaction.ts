import type { TransactionStatus } from '../restore-engine.ts';
import type { JournalRecord, RecordType, StoredRecord } from './record.ts';

type Of<T extends RecordType> = Extract<JournalRecord, { type: T }>;

/** What the records of one journal say together. */
export interface Transaction {
  readonly txId: string;
  readonly epoch: number;
  readonly operationId: string;
  readonly workloadId: string;
  readonly startedAt: string;
  /** Record that decides who does what (restore.md 4); ACCEPTED reads as SWAPPED or ROLLED_BACK. */
  readonly state: Exclude<TransactionStatus['record'], 'NONE'>;
  readonly begin: Of<'BEGIN'>;
  /** Every attempt to stage, the last one last. */
  readonly attempts: readonly Of<'STAGING'>[];
  readonly staged: Of<'STAGED'> | null;
  readonly quiescing: Of<'QUIESCING'> | null;
  readonly quiesced: Of<'QUIESCED'> | null;
  readonly safe: Of<'SAFE'> | null;
  readonly commit: Of<'COMMIT'> | null;
  /** A durable ROLLBACK is final, until a person accepted another verdict. */
  readonly rolledBack: boolean;
  readonly done: Of<'DONE'> | null;
  readonly operator: Of<'OPERATOR'> | null;
  readonly records: readonly StoredRecord[];
}

/** Records that may stand before each one. */
const after: Readonly<Record<RecordType, readonly (RecordType | null)[]>> = {
  BEGIN: [null],
  STAGING: ['BEGIN', 'STAGING'],
  STAGED: ['BEGIN', 'STAGING'],
  QUIESCING: ['STAGED', 'QUIESCING'],
  QUIESCED: ['QUIESCING'],
  SAFE: ['QUIESCED'],
  COMMIT: ['SAFE'],
  SWAPPED: ['COMMIT'],
  ROLLBACK: ['QUIESCING', 'QUIESCED', 'SAFE', 'COMMIT', 'SWAPPED', 'ACCEPTED'],
  ROLLED_BACK: ['ROLLBACK'],
  DONE: ['SWAPPED', 'ACCEPTED'],
  OPERATOR: ['BEGIN', 'STAGING', 'STAGED', 'QUIESCING', 'QUIESCED', 'SAFE', 'COMMIT', 'SWAPPED', 'ROLLBACK', 'ROLLED_BACK', 'ACCEPTED', 'OPERATOR'], // prettier-ignore
  ACCEPTED: ['OPERATOR'],
  CLOSED: ['BEGIN', 'STAGING', 'STAGED', 'ROLLED_BACK', 'DONE', 'ACCEPTED'],
};

/** null: the records contradict each other, which no crash can do. */
export function foldRecords(records: readonly StoredRecord[]): Transaction | null {
  const first = records[0];
  if (first?.type !== 'BEGIN') return null;
  let last: RecordType | null = null;
  for (const record of records) {
    if (!after[record.type].includes(last)) return null;
    last = record.type;
  }
  const accepted = newest(records, 'ACCEPTED');
  const afterAccepted = accepted ? records.slice(records.lastIndexOf(accepted as StoredRecord)) : records;
  return {
    txId: first.tx,
    epoch: first.epoch,
    operationId: first.operationId,
    workloadId: first.workloadId,
    startedAt: first.at,
    state: stateOf(records[records.length - 1] as StoredRecord),
    begin: first,
    attempts: records.filter((record) => record.type === 'STAGING'),
    staged: newest(records, 'STAGED'),
    quiescing: newest(records, 'QUIESCING'),
    quiesced: newest(records, 'QUIESCED'),
    safe: newest(records, 'SAFE'),
    commit: newest(records, 'COMMIT'),
    rolledBack: accepted?.verdict === 'all-old' || newest(afterAccepted, 'ROLLBACK') !== null,
    done: newest(records, 'DONE'),
    operator: newest(afterAccepted, 'OPERATOR'),
    records,
  };
}

function stateOf(record: StoredRecord): Transaction['state'] {
  if (record.type === 'STAGING') return 'BEGIN';
  if (record.type === 'ACCEPTED') return record.verdict === 'all-new' ? 'SWAPPED' : 'ROLLED_BACK';
  return record.type;
}

function newest<T extends RecordType>(records: readonly StoredRecord[], type: T): Of<T> | null {
  const found = records.findLast((record) => record.type === type);
  return (found as Of<T> | undefined) ?? null;
}

/** Whether the old trees themselves are the safety copy. */
export const keepsOldTrees = (tx: Transaction): boolean => tx.safe?.snapshotId === null;

/** Whether a person has said how the volumes stand: what is live may be what nobody here knows. */
export const accepted = (tx: Transaction): boolean => tx.records.some((record) => record.type === 'ACCEPTED');

/** Whether an app may have run on the new side. */
export const ranOnNew = (tx: Transaction): boolean =>
  tx.records.some(
    (record) => record.type === 'SWAPPED' || (record.type === 'ACCEPTED' && record.verdict === 'all-new'),
  );

/** Whether the live directories are this transaction's own (restore.md 5.5). */
export const reservesDirectories = (tx: Transaction): boolean =>
  tx.state !== 'DONE' && tx.state !== 'ROLLED_BACK' && tx.state !== 'CLOSED';
