import fs from 'node:fs';
import path from 'node:path';

/** Writes whole or not at all; a reader never sees half a record. */
export function writeRecord(file: string, record: object): void {
  fs.mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 });
  const draft = `${file}.${process.pid}.new`;
  fs.writeFileSync(draft, `${JSON.stringify(record, null, 2)}\n`, { mode: 0o600 });
  fs.renameSync(draft, file);
}

/** The record, null when there is none or it is not what `isRecord` accepts: a foreign or damaged file proves nothing. */
export function readRecord<T>(file: string, isRecord: (value: unknown) => value is T): T | null {
  try {
    const value: unknown = JSON.parse(fs.readFileSync(file, 'utf8'));
    return isRecord(value) ? value : null;
  } catch {
    return null;
  }
}

/** Whether `value` is an object whose named fields have the named types. */
export function hasFields<K extends string>(
  value: unknown,
  fields: Readonly<Record<K, 'string' | 'number'>>,
): value is Record<K, string | number> {
  if (typeof value !== 'object' || value === null) return false;
  return (Object.keys(fields) as K[]).every((name) => typeof (value as Record<K, unknown>)[name] === fields[name]);
}
