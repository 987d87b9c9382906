import { mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { NodeFsPort } from '../ports/node-fs-port.ts';
import type { FsPort } from '../ports/fs-port.ts';
import { CountingFsPort } from '../testing/counting-fs-port.ts';
import { examplePlan } from '../testing/example-plan.ts';
import { FailingFsPort } from '../testing/failing-fs-port.ts';
import { JOURNAL_BLOCK, scanJournal } from './journal-bytes.ts';
import { journalName } from './journal-name.ts';
import { JournalStore } from './journal-store.ts';
import type { JournalRecord } from './record.ts';
import type { Transaction } from './transaction.ts';

let dataDir: string;
const clock = { now: () => new Date('2026-01-01T00:00:00Z') };
const storeOver = (fs: FsPort): JournalStore => new JournalStore({ fs, dataDir, clock });
const plan = examplePlan();
const staged: JournalRecord = { type: 'STAGED', attempt: 1, volumes: [], contentBytes: 0, entries: 0 };
const quiescing: JournalRecord = { type: 'QUIESCING', before: 'absent', containers: [] };
const quiesced: JournalRecord = { type: 'QUIESCED', stoppedAt: '2026-01-01T00:00:00.000Z' };
const safe: JournalRecord = { type: 'SAFE', snapshotId: 's' };
const commit: JournalRecord = { type: 'COMMIT', volumes: [] };

const upTo = async (store: JournalStore, ...records: JournalRecord[]): Promise<Transaction> => {
  let tx = await store.begin(plan, []);
  for (const record of records) tx = await store.append(tx, record);
  return tx;
};
const stateOf = async (store: JournalStore): Promise<string> => {
  const found = await store.find(plan.txId);
  return found?.kind === 'transaction' ? found.tx.state : (found?.kind ?? 'none');
};

beforeEach(async () => {
  dataDir = await mkdtemp(path.join(tmpdir(), 'tf-journal-'));
});
afterEach(() => rm(dataDir, { recursive: true, force: true }));

describe('journal', () => {
  it('is written ahead, so that appends allocate nothing', async () => {
    const store = storeOver(new NodeFsPort());
    await upTo(store, staged, quiescing);
    const bytes = await readFile(path.join(store.folder, journalName(plan, 0)));
    expect(bytes.length).toBe(JOURNAL_BLOCK);
    expect(scanJournal(bytes).records.map((record) => record.type)).toEqual(['BEGIN', 'STAGED', 'QUIESCING']);
  });

  it('syncs each append and syncs the folder when it is made', async () => {
    const counting = new CountingFsPort(new NodeFsPort());
    const store = storeOver(counting.port);
    const tx = await store.begin(plan, []);
    const made = counting.calls.map((call) => call.name).filter((name) => /write|sync|rename/i.test(name));
    expect(made.slice(-4)).toEqual(['write', 'sync', 'rename', 'syncDirectory']);
    counting.calls.length = 0;
    await store.append(tx, staged);
    expect(counting.calls.map((call) => call.name)).toEqual(['readFile', 'open', 'write', 'sync', 'close']);
  });

  it('grows in written blocks when a record would not fit', async () => {
    const store = storeOver(new NodeFsPort());
    const tx = await upTo(store, staged);
    const containers = Array.from({ length: 900 }, (_, i) => ({
      id: `${i}`.padStart(64, '0'),
      name: 'n',
      imageId: 'i',
      restartPolicy: 'no',
      running: true,
      health: 'none',
    }));
    await store.append(tx, { type: 'QUIESCING', before: 'absent', containers });
    const bytes = await readFile(path.join(store.folder, journalName(plan, 0)));
    expect(bytes.length % JOURNAL_BLOCK).toBe(0);
    expect(await stateOf(storeOver(new NodeFsPort()))).toBe('QUIESCING');
  });

  it('ignores a torn last record and cuts it off before the next append', async () => {
    const file = path.join(storeOver(new NodeFsPort()).folder, journalName(plan, 0));
    await upTo(storeOver(new NodeFsPort()), staged, quiescing);
    const bytes = await readFile(file);
    const { end } = scanJournal(bytes);
    bytes[end - 3]! ^= 1;
    await writeFile(file, bytes);
    const store = storeOver(new NodeFsPort());
    expect(await stateOf(store)).toBe('STAGED');
    const found = await store.find(plan.txId);
    if (found?.kind !== 'transaction') throw new Error('not read');
    // Shorter than the torn record: its tail must not stay behind.
    await store.append(found.tx, { type: 'QUIESCING', before: 'absent', containers: [] });
    const after = scanJournal(await readFile(file));
    expect(after).toMatchObject({ torn: false, corruptAt: null });
    expect(after.records).toHaveLength(3);
  });

  it('that lost everything holds its workload: its name tells whose it is', async () => {
    const store = storeOver(new NodeFsPort());
    await upTo(store, staged, quiescing);
    const file = path.join(store.folder, journalName(plan, 0));
    await writeFile(file, Buffer.alloc(JOURNAL_BLOCK));
    const { workloadId, operationId } = plan;
    expect(await store.list()).toMatchObject([{ kind: 'corrupt', owner: { workloadId, operationId } }]);
    await expect(store.begin(examplePlan({ txId: 'other' }), [])).rejects.toMatchObject({ code: 'TX_OPEN' });
  });

  it('is readable when cut at every byte', async () => {
    const store = storeOver(new NodeFsPort());
    await upTo(store, staged, quiescing, quiesced, safe, commit);
    const file = path.join(store.folder, journalName(plan, 0));
    const { end } = scanJournal(await readFile(file));
    const order = ['corrupt', 'BEGIN', 'STAGED', 'QUIESCING', 'QUIESCED', 'SAFE', 'COMMIT'];
    const seen: string[] = [];
    for (let size = end; size >= 0; size--) {
      await truncate(file, size);
      seen.unshift(await stateOf(storeOver(new NodeFsPort())));
    }
    expect(seen.map((state) => order.indexOf(state))).toEqual(
      seen.map((state) => order.indexOf(state)).sort((a, b) => a - b),
    );
    expect(new Set(seen)).toEqual(new Set(order));
  });

  it('that is corrupt tells whose it is and is not opened', async () => {
    const store = storeOver(new NodeFsPort());
    await upTo(store, staged, quiescing);
    const file = path.join(store.folder, journalName(plan, 0));
    const bytes = await readFile(file);
    bytes[bytes.indexOf('STAGED')]! ^= 1;
    await writeFile(file, bytes);
    expect(await store.find(plan.txId)).toMatchObject({ kind: 'corrupt', owner: { workloadId: plan.workloadId } });
  });

  it('refuses a second one for the workload, for a reserved directory, and for a used transaction id', async () => {
    const store = storeOver(new NodeFsPort());
    const tx = await store.begin(plan, []);
    const other = examplePlan({ txId: 'other', operationId: 'op2' });
    await expect(store.begin(other, [])).rejects.toMatchObject({ code: 'TX_OPEN' });
    await expect(store.begin({ ...other, workloadId: 'wl2' }, [])).rejects.toMatchObject({ code: 'VOLUME_IN_USE' });
    await store.close(tx);
    await expect(store.begin(plan, [])).rejects.toMatchObject({ code: 'TX_STATE' });
    await store.begin(other, []);
  });

  it('of two that begin at once for one directory lets one through', async () => {
    const store = storeOver(new NodeFsPort());
    const others = ['a', 'b', 'c'].map((id) => examplePlan({ txId: id, operationId: id, workloadId: id }));
    const ends = await Promise.allSettled(others.map((one) => store.begin(one, [])));
    expect(ends.filter((end) => end.status === 'fulfilled')).toHaveLength(1);
  });

  it('closed is moved, and found as closed', async () => {
    const store = storeOver(new NodeFsPort());
    await store.close(await store.begin(plan, []));
    expect((await readdir(store.folder)).sort()).toEqual(['closed']);
    expect(await store.find(plan.txId)).toMatchObject({ kind: 'transaction', closed: true, tx: { state: 'CLOSED' } });
  });

  it('writes its bytes again before it acts on what an earlier process wrote', async () => {
    await upTo(storeOver(new NodeFsPort()), staged);
    const counting = new CountingFsPort(new NodeFsPort());
    const store = storeOver(counting.port);
    const found = await store.find(plan.txId);
    if (found?.kind !== 'transaction') throw new Error('not read');
    await store.trust(found.tx);
    expect(counting.calls.map((call) => call.name).slice(-6)).toEqual([
      'readFile',
      'open',
      'write',
      'sync',
      'close',
      'syncDirectory',
    ]);
    counting.calls.length = 0;
    await store.trust(found.tx);
    expect(counting.count).toBe(0);
  });
});

describe('an append that fails', () => {
  const calls = ['write', 'sync'] as const;

  it.each(calls)('in %s is undecided: unread until a file of the next epoch supersedes it', async (name) => {
    const inner = new NodeFsPort();
    let arm = false;
    const fs: FsPort = Object.assign(Object.create(inner) as FsPort, {
      [name]: async (...args: [number, number, Uint8Array]) => {
        const answer = await inner[name](...args);
        // The bytes are in the page cache and may or may not be on disk.
        if (arm) throw Object.assign(new Error('injected'), { code: 'EIO' });
        return answer;
      },
    });
    const store = storeOver(fs);
    const tx = await upTo(store, staged, quiescing, quiesced, safe);
    arm = true;
    await expect(store.append(tx, commit)).rejects.toMatchObject({ code: 'IO_ERROR' });
    expect(store.isSuspect(tx.txId)).toBe(true);
    expect(await stateOf(store)).toBe('SAFE');
    await expect(store.append(tx, { type: 'ROLLBACK', reason: 'x' })).rejects.toMatchObject({ code: 'IO_ERROR' });
    expect(store.isSuspect(tx.txId)).toBe(true);
    arm = false;
    const back = await store.append(tx, { type: 'ROLLBACK', reason: 'x' });
    expect(back).toMatchObject({ state: 'ROLLBACK', commit: null, rolledBack: true });
    expect(back.epoch).toBeGreaterThan(0);
    expect(await stateOf(storeOver(inner))).toBe('ROLLBACK');
    expect((await readdir(store.folder)).filter((one) => one.endsWith('.journal'))).toHaveLength(1);
    await store.close(await store.append(back, { type: 'ROLLED_BACK' }));
    expect(await readdir(store.folder)).toEqual(['closed']);
  });

  it('at every call leaves a journal that a fresh process reads as before or as after', async () => {
    for (let at = 1; ; at++) {
      await rm(dataDir, { recursive: true, force: true });
      await (await import('node:fs/promises')).mkdir(dataDir);
      const tx = await upTo(storeOver(new NodeFsPort()), staged, quiescing);
      const failing = new FailingFsPort(new NodeFsPort(), { at, how: at % 2 ? 'before' : 'after', code: 'EIO' });
      const outcome = await storeOver(failing.port)
        .append(tx, quiesced)
        .then(
          () => 'done',
          () => 'failed',
        );
      const read = await stateOf(storeOver(new NodeFsPort()));
      expect(['QUIESCING', 'QUIESCED']).toContain(read);
      if (outcome === 'done') expect(read).toBe('QUIESCED');
      if (failing.failed.length === 0) break;
    }
  });
});
