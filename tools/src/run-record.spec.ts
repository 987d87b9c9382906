import fs from 'node:fs';
import path from 'node:path';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, expect, it } from '@jest/globals';
import { temporaryFolders } from '../testing/temporary.ts';
import { identityOf } from './process-identity.ts';
import { hasFields, readRecord, writeRecord } from './run-record.ts';
import { otherStarts, registerStart } from './start-register.ts';

const temporaryFolder = temporaryFolders();

interface Pair {
  readonly pid: number;
  readonly name: string;
}
const isPair = (value: unknown): value is Pair => hasFields(value, { pid: 'number', name: 'string' });

describe('records', () => {
  it('reads what it wrote, readable by the owner alone', () => {
    const file = path.join(temporaryFolder(), 'run', 'x.json');
    writeRecord(file, { pid: 1, name: 'x' });
    expect(readRecord(file, isPair)).toEqual({ pid: 1, name: 'x' });
    expect(fs.statSync(file).mode & 0o777).toBe(0o600);
    expect(fs.readdirSync(path.dirname(file))).toEqual(['x.json']);
  });

  it.each(['', '{', 'null', '[]', '7', '{"pid":"1","name":"x"}', '{"pid":1}'])('takes %j for no record', (text) => {
    const file = path.join(temporaryFolder(), 'x.json');
    fs.writeFileSync(file, text);
    expect(readRecord(file, isPair)).toBeNull();
  });
});

describe('the register of starts', () => {
  it('shows other living starts, not this one, and forgets dead ones', async () => {
    const dataDir = temporaryFolder();
    const unregister = registerStart(dataDir, 'all', 'http://127.0.0.1:1');
    const other = spawn('sleep', ['60']);
    const folder = path.join(dataDir, 'run', 'starts');
    const record = { ...identityOf(other.pid ?? 0), role: 'api', url: 'http://127.0.0.1:2' };
    writeRecord(path.join(folder, `${other.pid}.json`), record);
    expect(otherStarts(dataDir)).toEqual([record]);
    other.kill('SIGKILL');
    await once(other, 'exit');
    expect(otherStarts(dataDir)).toEqual([]);
    expect(fs.readdirSync(folder)).toEqual([`${process.pid}.json`]);
    unregister();
    expect(fs.readdirSync(folder)).toEqual([]);
  });
});
