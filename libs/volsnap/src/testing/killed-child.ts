import { readFileSync } from 'node:fs';
import { connectDocker } from '@tiny-forge/docker';
import { NodeFsPort } from '../ports/node-fs-port.ts';
import type { FrozenPlan } from '../restore-engine.ts';
import { CountingFsPort } from './counting-fs-port.ts';
import { jsonArchive } from './json-archive-port.ts';
import { killingFsPort } from './killing-fs-port.ts';
import { quietContext, RestoreHouse } from './restore-house.ts';
import type { KillOrder } from './run-child.ts';

/** What a child is to do, and where it dies. Given as a file, named in the first argument. */
export interface ChildOrder extends KillOrder {
  readonly plan: FrozenPlan;
  readonly action: 'extract' | 'stop' | 'swap' | 'undo' | 'finish' | 'sweep' | 'whole' | 'recover';
}

const order = JSON.parse(readFileSync(process.argv[2] as string, 'utf8')) as ChildOrder;
const house = new RestoreHouse(order.facts, connectDocker({ dockerHost: process.env['DOCKER_HOST'] as string }));
const counting = new CountingFsPort(new NodeFsPort());
const fs = order.kill === null ? counting.port : killingFsPort(counting.port, order.kill);
const engine = house.engine({ fs, archive: jsonArchive(fs), mountUsers: () => Promise.resolve([]) });

switch (order.action) {
  case 'extract':
    await engine.extract(order.plan, quietContext());
    break;
  case 'stop':
    await engine.stop(order.plan, quietContext());
    break;
  case 'whole':
    await forward();
    break;
  case 'recover':
    await recover();
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

async function forward(): Promise<void> {
  await engine.extract(order.plan, quietContext());
  await engine.stop(order.plan, quietContext());
  await engine.recordSafe(order.plan, 'safety');
  await engine.swap(order.plan, quietContext());
  await engine.finish(order.plan, [], quietContext());
}

/** As a start of the host and an operation of kind `recover` (restore.md 4). */
async function recover(): Promise<void> {
  await engine.sweep(new AbortController().signal);
  const status = await engine.status(order.plan.operationId);
  if (status === null || status.record === 'CLOSED') return;
  if (!['COMMIT', 'SWAPPED', 'DONE'].includes(status.record)) return house.undo(engine, order.plan);
  await engine.swap(order.plan, quietContext());
  await engine.finish(order.plan, [], quietContext());
}
process.stdout.write(JSON.stringify({ calls: counting.count, effects: counting.effects }));
