import fs from 'node:fs';
import os from 'node:os';
import { checkout } from '../bootstrap.mjs';
import { thisMachine } from './commands.ts';
import { ensureBuilt } from './build.ts';
import { LAYERS } from './prove-layers.ts';
import { listenForStop } from './stop-request.ts';
import { reportFailure, terminal } from './terminal.ts';
import { openTestRoom, type TestRoom } from './test-room.ts';
import { planRun, provideTools, runInside } from './test-run.ts';

const FULL = '--full';
const cells = LAYERS.map(({ cell }) => cell);
const USAGE = `npm run prove                 every proof of the restore transaction, 20 rounds of chaos
npm run prove -- --full       every place and state instead of a part of some, 200 rounds: two hours
npm run prove -- 'L4 ext4'    some of them: ${cells.join(', ')}`;

/** `npm run prove`: provides what the proofs need, runs the layers two at a time, prints the table. Resolves with the exit code. */
export async function runProve(args: readonly string[]): Promise<number> {
  const unknown = args.find((arg) => arg !== FULL && !cells.includes(arg));
  if (unknown !== undefined) {
    terminal.problem(`Unknown layer ${unknown}.\n\n${USAGE}`);
    return 2;
  }
  const stop = listenForStop();
  const machine = thisMachine(process.env, stop.signal);
  terminal.print('Tiny Forge: proofs of the restore transaction');
  let room: TestRoom | null = null;
  try {
    const tools = await provideTools(machine);
    await ensureBuilt(checkout, terminal, stop.signal);
    room = await openTestRoom(thisMachine(), fs.existsSync('/var/tmp') ? '/var/tmp' : os.tmpdir());
    const code = await runInside(await planRun(machine, room, tools, 'prove-inside.ts', args), stop.signal);
    if (stop.signal.aborted) throw stop.signal.reason;
    return code;
  } catch (error) {
    if (stop.signal.aborted) {
      terminal.say('stopped', 'before all proofs had run');
      return 130;
    }
    reportFailure('The proofs did not start', error, 'npm run prove');
    return 1;
  } finally {
    await room?.remove();
  }
}
