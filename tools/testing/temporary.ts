import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach } from '@jest/globals';

/** Gives folders that are gone after each test. Call once at the top of a spec. */
export function temporaryFolders(): () => string {
  const made: string[] = [];
  afterEach(() => {
    for (const folder of made.splice(0)) fs.rmSync(folder, { recursive: true, force: true });
  });
  return () => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'tf-tools-'));
    made.push(folder);
    return folder;
  };
}

/** A program that the environment of `npm test` provides. */
export function provided(name: 'TEMPORAL_CLI' | 'BUSYBOX_PATH' | 'DOCKER_HOST'): string {
  const value = process.env[name];
  if (value === undefined || value === '') throw new Error(`${name} is not set: run these tests with \`npm test\``);
  return value;
}
