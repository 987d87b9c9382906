import fs from 'node:fs';
import os from 'node:os';
import { checkout, duration } from '../bootstrap.mjs';
import { parseArguments, USAGE } from './check-arguments.ts';
import { thisMachine } from './commands.ts';
import { listenForStop } from './stop-request.ts';
import { reportFailure, terminal } from './terminal.ts';
import { closingLine, deleteReports, formatFailures, formatSummary, summarize } from './test-report.ts';
import { openTestRoom, type TestRoom } from './test-room.ts';
import { planRun, provideTools, runInside } from './test-run.ts';
import { listProjects, type Project } from './workspace.ts';

/** `npm test`: provides what the tests need, runs every test of every project or of the named ones, counts. Resolves with the exit code. */
export async function runCheck(args: readonly string[]): Promise<number> {
  const asked = parseArguments(args, listProjects(checkout));
  if (typeof asked === 'string') {
    terminal.problem(`${asked}\n\n${USAGE}`);
    return 2;
  }
  const stop = listenForStop();
  const machine = thisMachine(process.env, stop.signal);
  const started = Date.now();
  terminal.print('Tiny Forge: tests');
  let room: TestRoom | null = null;
  try {
    const tools = await provideTools(machine);
    room = await openTestRoom(thisMachine(), fs.existsSync('/var/tmp') ? '/var/tmp' : os.tmpdir());
    const plan = await planRun(machine, room, tools, 'check-inside.ts', args);
    deleteReports(checkout, asked.projects);
    const code = await runInside(plan, stop.signal);
    if (stop.signal.aborted) throw stop.signal.reason;
    return conclude(code, asked.projects, Date.now() - started);
  } catch (error) {
    if (stop.signal.aborted) {
      terminal.say('stopped', 'before all tests had run');
      return 130;
    }
    reportFailure('The tests did not start', error, 'npm test');
    return 1;
  } finally {
    await room?.remove();
  }
}

function conclude(code: number, projects: readonly Project[], tookMs: number): number {
  const summary = summarize(checkout, projects);
  terminal.print(`\n${formatSummary(summary)}\n`);
  const failures = formatFailures(summary);
  if (failures !== '') terminal.print(`${failures}\n`);
  const isGood = code === 0 && summary.good;
  if (!isGood && summary.failed === 0) {
    const broken = summary.rows.filter((row) => row.problem !== null).length;
    terminal.print(
      broken > 0
        ? `Not good: ${broken} of ${summary.rows.length} reports are missing, empty or unfinished.`
        : `Not good: a task ended with code ${code}, see above.`,
    );
  }
  terminal.print(`Took ${duration(tookMs)}.`);
  terminal.print(closingLine(summary));
  return isGood ? 0 : 1;
}
