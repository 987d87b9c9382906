import path from 'node:path';
import type { EngineParts } from '../../engine-parts.ts';
import type { JournalStore } from '../../journal/journal-store.ts';
import { journalName } from '../../journal/journal-name.ts';
import type { JournalRecord, RecordType, StoredRecord } from '../../journal/record.ts';
import { foldRecords, type Transaction } from '../../journal/transaction.ts';
import { interceptFsPort, type FsCallName, type FsPort } from '../../ports/fs-port.ts';

const SYNCS: readonly FsCallName[] = ['sync', 'syncDirectory', 'syncFileSystem'];
/** Files that only pass a call on: the site is who called them. */
const HELPERS = /\/(testing|fs-error\.ts|fs-port\.ts|durable-file\.ts)/;

/** The function of the engine that makes the present call of the port, `sync writeJournalFile` say. null: none of the engine's. */
function siteOf(call: FsCallName): string | null {
  const before: unknown = Reflect.get(Error, 'prepareStackTrace');
  const limit = Error.stackTraceLimit;
  try {
    Error.stackTraceLimit = 30;
    Error.prepareStackTrace = (_, frames) =>
      frames
        .filter((frame) => {
          const file = frame.getFileName() ?? '';
          return (
            file.includes('/volsnap/src/') && !HELPERS.test(file) && !file.includes('.spec.') && frame.getFunctionName()
          );
        })
        .map((frame) => frame.getFunctionName());
    const names = new Error().stack as unknown as readonly string[];
    const name = names.find((one) => !/^(naming|syncDirectories)$/.test(one));
    return name === undefined ? null : `${call} ${name.split('.').at(-1)}`;
  } finally {
    Reflect.set(Error, 'prepareStackTrace', before);
    Error.stackTraceLimit = limit;
  }
}

/** Notes where every fsync of the engine is called. */
export function notingSyncs(inner: FsPort, sites: Set<string>): FsPort {
  return interceptFsPort(inner, (call, proceed) => {
    const site = SYNCS.includes(call.name) ? siteOf(call.name) : null;
    if (site !== null) sites.add(site);
    return proceed();
  });
}

/** A port that forgets every fsync of one site. */
export function withoutSync(inner: FsPort, site: string): FsPort {
  return interceptFsPort(inner, (call, proceed) =>
    SYNCS.includes(call.name) && siteOf(call.name) === site ? Promise.resolve() : proceed(),
  );
}

/** A journal that says of every record of one type that it is durable, and never writes one. */
export function withoutRecord(parts: EngineParts, type: RecordType): EngineParts {
  /** What is on disk, of a transaction that claims more. */
  const written = new WeakMap<Transaction, Transaction>();
  const forgetful = withAppend(parts, async (tx, body, append) => {
    const real = written.get(tx) ?? tx;
    const next = body.type === type ? real : await append(real, body);
    const claimed = foldRecords([
      ...tx.records,
      { ...(tx.records[0] as StoredRecord), ...body, seq: tx.records.length },
    ]);
    if (claimed === null) throw new Error(`${body.type} after ${tx.state}`);
    written.set(claimed, next);
    return claimed;
  });
  if (type !== 'BEGIN') return forgetful;
  const journals = new Proxy(parts.journals, {
    get: (store, name) => {
      if (name === 'begin')
        return async (...args: Parameters<JournalStore['begin']>) => {
          const tx = await store.begin(...args);
          await parts.fs.unlink(path.join(store.folder, journalName(tx, tx.epoch)));
          return tx;
        };
      const member: unknown = Reflect.get(store, name, store);
      return typeof member === 'function' ? (member.bind(store) as JournalStore) : member;
    },
  });
  return { ...parts, journals };
}

/** The same parts with something else done about every record. */
export function withAppend(
  parts: EngineParts,
  around: (
    tx: Transaction,
    body: JournalRecord,
    append: (tx: Transaction, body: JournalRecord) => Promise<Transaction>,
  ) => Promise<Transaction>,
): EngineParts {
  const journals = new Proxy(parts.journals, {
    get: (store, name) => {
      const append = (tx: Transaction, body: JournalRecord): Promise<Transaction> => store.append(tx, body);
      if (name === 'append') return (tx: Transaction, body: JournalRecord) => around(tx, body, append);
      if (name === 'close')
        return async (tx: Transaction) => store.retireClosed(await around(tx, { type: 'CLOSED' }, append));
      const member: unknown = Reflect.get(store, name, store);
      return typeof member === 'function' ? (member.bind(store) as JournalStore) : member;
    },
  });
  return { ...parts, journals };
}
