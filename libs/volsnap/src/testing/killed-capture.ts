import { readFileSync } from 'node:fs';
import { connectDocker } from '@tiny-forge/docker';
import type { ArchivePort } from '../ports/archive-port.ts';
import { archiveSafePort } from '../ports/archive-safe-port.ts';
import { NodeFsPort } from '../ports/node-fs-port.ts';
import type { CaptureInput } from '../restore-engine.ts';
import { CountingFsPort } from './counting-fs-port.ts';
import { fakePlugins } from './fake-plugins.ts';
import { killingFsPort } from './killing-fs-port.ts';
import { quietContext, RestoreHouse } from './restore-house.ts';
import type { KillOrder } from './run-child.ts';

/** A capture, and where it dies. Given as a file, named in the first argument. */
export interface CaptureOrder extends KillOrder {
  readonly capture: Pick<CaptureInput, 'snapshotId' | 'quiesce'>;
}

const order = JSON.parse(readFileSync(process.argv[2] as string, 'utf8')) as CaptureOrder;
const docker = connectDocker({ dockerHost: process.env['DOCKER_HOST'] as string });
const house = new RestoreHouse(order.facts, docker, fakePlugins);
const counting = new CountingFsPort(new NodeFsPort());
const fs = order.kill === null ? counting.port : killingFsPort(counting.port, order.kill);
const real = archiveSafePort(house.options().key);
/** The threads of an archive make calls of their own: what they tell of is a place to die as well. */
const place = (): void => void fs.stat(house.facts.root);
const archive: ArchivePort = {
  ...real,
  warm: async (input) => {
    const pass = await real.warm({ ...input, onProgress: place });
    await fs.stat(house.facts.root);
    return pass;
  },
  create: async (input) => {
    await fs.stat(house.facts.root);
    const created = await real.create({ ...input, onProgress: place });
    await fs.stat(house.facts.root);
    return created;
  },
};
await house.capturer({ fs, archive }).capture({ ...house.captureInput(), ...order.capture }, quietContext());
process.stdout.write(JSON.stringify({ calls: counting.count, effects: counting.effects }));
