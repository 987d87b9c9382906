import { readFileSync } from 'node:fs';
import { connectDocker } from '@tiny-forge/docker';
import { NodeFsPort } from '../ports/node-fs-port.ts';
import type { FrozenPlan } from '../restore-engine.ts';
import { CountingFsPort } from './counting-fs-port.ts';
import { jsonArchivePort } from './json-archive-port.ts';
import { killingFsPort } from './killing-fs-port.ts';
import { quietContext, RestoreHouse, type HouseFacts } from './restore-house.ts';

/** What a child is to do, and where it dies. Given as a file, named in the first argument. */
export interface ChildOrder {
  readonly facts: HouseFacts;
  readonly plan: FrozenPlan;
  readonly action: 'extract' | 'swap' | 'undo' | 'finish' | 'sweep';
  /** null: lives, and prints how many calls it made. */
  readonly kill: { readonly at: number; readonly when: 'before' | 'after' } | null;
}

const order = JSON.parse(readFileSync(process.argv[2] as string, 'utf8')) as ChildOrder;
const house = new RestoreHouse(order.facts, connectDocker({ dockerHost: process.env['DOCKER_HOST'] as string }));
const counting = new CountingFsPort(new NodeFsPort());
const fs = order.kill === null ? counting.port : killingFsPort(counting.port, order.kill);
const engine = house.engine({ fs, archive: jsonArchivePort, mountUsers: () => Promise.resolve([]) });

switch (order.action) {
  case 'extract':
    await engine.extract(order.plan, quietContext());
    break;
  case 'swap':
    await engine.swap(order.plan, quietContext());
    break;
  case 'undo':
    await house.undo(engine, order.plan);
    break;
  case 'finish':
    await engine.finish(order.plan, [], quietContext());
    break;
  case 'sweep':
    await engine.sweep(new AbortController().signal);
}
process.stdout.write(JSON.stringify({ calls: counting.count, effects: counting.effects }));
