import fs from 'node:fs';
import path from 'node:path';
import { isRunning, ownIdentity, type ProcessIdentity } from './process-identity.ts';
import { hasFields, readRecord, writeRecord } from './run-record.ts';

/** One living `npm start` on a data folder. */
export interface StartRecord extends ProcessIdentity {
  readonly role: string;
  readonly url: string;
}

function isStartRecord(value: unknown): value is StartRecord {
  return hasFields(value, { pid: 'number', startTime: 'string', bootId: 'string', role: 'string', url: 'string' });
}

const folderOf = (dataDir: string): string => path.join(dataDir, 'run', 'starts');

/** Says that this process uses the data folder, until the returned function is called or the process is gone. */
export function registerStart(dataDir: string, role: string, url: string): () => void {
  const record: StartRecord = { ...ownIdentity(), role, url };
  const file = path.join(folderOf(dataDir), `${record.pid}.json`);
  writeRecord(file, record);
  return () => fs.rmSync(file, { force: true });
}

/** Other living starts on the data folder; records of dead ones are removed on the way. */
export function otherStarts(dataDir: string): StartRecord[] {
  const folder = folderOf(dataDir);
  const names = fs.existsSync(folder) ? fs.readdirSync(folder).filter((name) => name.endsWith('.json')) : [];
  return names.flatMap((name) => {
    const file = path.join(folder, name);
    const record = readRecord(file, isStartRecord);
    if (record !== null && isRunning(record)) return record.pid === process.pid ? [] : [record];
    fs.rmSync(file, { force: true });
    return [];
  });
}
