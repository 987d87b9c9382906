import fs from 'node:fs';
import os from 'node:os';
import { parseArgs } from 'node:util';
import { checkout } from '../bootstrap.mjs';
import { ensureBuilt } from '../src/build.ts';
import { thisMachine } from '../src/commands.ts';
import { listenForStop } from '../src/stop-request.ts';
import { terminal } from '../src/terminal.ts';
import { openTestRoom } from '../src/test-room.ts';
import { planRun, provideTools, runInside } from '../src/test-run.ts';

const usage = `Usage: npm run bench -- downtime [options]
  --sizes A,B    MiB of incompressible data in the volume; default 10,1024
  --rounds N     default 5: docker stop and start of the app, then a restore of it, in turn; medians are shown
A prober asks the app every 5 ms. Exit code 1 where a restore keeps it down longer than 1.25 of docker stop and start plus
0.5 s, or at 1 GiB longer than 1.25 of itself at the smallest size plus 0.3 s.
`;

/** @returns the exit code */
export async function runDowntimeBench(args: string[]): Promise<number> {
  const { values } = parseArgs({
    args,
    options: {
      sizes: { type: 'string', default: '10,1024' },
      rounds: { type: 'string', default: '5' },
      help: { type: 'boolean' },
    },
  });
  const numbers = [values.rounds, ...values.sizes.split(',')];
  if (values.help === true || numbers.some((text) => !/^[1-9][0-9]{0,6}$/.test(text))) {
    process.stdout.write(usage);
    return values.help === true ? 0 : 64;
  }
  const stop = listenForStop();
  const machine = thisMachine(process.env, stop.signal);
  const tools = await provideTools(machine);
  await ensureBuilt(checkout, terminal, stop.signal);
  const room = await openTestRoom(thisMachine(), fs.existsSync('/var/tmp') ? '/var/tmp' : os.tmpdir());
  try {
    return await runInside(await planRun(machine, room, tools, 'bench-inside.ts', numbers), stop.signal);
  } finally {
    await room.remove();
  }
}
