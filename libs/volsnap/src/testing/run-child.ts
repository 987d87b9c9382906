import { spawn } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { HouseFacts } from './restore-house.ts';

export interface KillOrder {
  readonly facts: HouseFacts;
  /** null: lives, and prints how many calls it made. */
  readonly kill: { readonly at: number; readonly when: 'before' | 'after' } | null;
}

export interface ChildEnd {
  readonly killed: boolean;
  /** Of a child that lived: calls it made, and the numbers of those that change something. */
  readonly calls: number;
  readonly effects: readonly number[];
}

/** Runs one order in a process of its own. @param program beside this file @throws Error with what it wrote, when it ended in any other way than SIGKILL or success */
export async function runChild<T extends KillOrder>(order: T, program = 'killed-child.ts'): Promise<ChildEnd> {
  const file = path.join(order.facts.root, 'order.json');
  await writeFile(file, JSON.stringify(order));
  const script = path.join(import.meta.dirname, program);
  const child = spawn(
    process.execPath,
    ['--conditions=tiny-forge-source', '--disable-warning=ExperimentalWarning', script, file],
    {
      stdio: ['ignore', 'pipe', 'pipe'],
      // Hundreds of children load the same modules.
      env: { ...process.env, NODE_COMPILE_CACHE: path.join(tmpdir(), 'tf-child-compile-cache') },
    },
  );
  let out = '';
  let errors = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text));
  const { code, signal } = await new Promise<{ code: number | null; signal: string | null }>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve({ code, signal }));
  });
  if (signal === 'SIGKILL') return { killed: true, calls: 0, effects: [] };
  if (code !== 0) throw new Error(`the child ended with ${code ?? signal}: ${errors}`);
  return { killed: false, ...(JSON.parse(out) as { calls: number; effects: number[] }) };
}
