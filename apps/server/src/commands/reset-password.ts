import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { createInterface } from 'node:readline/promises';
import { ADMIN } from '../auth/first-admin.ts';
import { generatePassword, hashPassword } from '../auth/passwords.ts';
import { openState, systemClock } from '../state/index.ts';
import { commandSettings } from './settings-of-command.ts';

const USAGE = `usage: npm run admin:reset-password [-- <user>] [--stdin]

Gives a user (default: admin) a new password and ends all its sessions.
The password is made and printed once, or read from the first line of standard input with --stdin.`;

async function main(args: readonly string[]): Promise<number> {
  if (args.includes('--help') || args.includes('-h')) {
    console.log(USAGE);
    return 0;
  }
  const user = args.find((arg) => !arg.startsWith('-')) ?? ADMIN;
  const { dataDir } = commandSettings(process.env);
  if (!existsSync(dataDir)) {
    console.error(`the data folder ${dataDir} does not exist; set TINY_FORGE_DATA as the server has it`);
    return 2;
  }
  const state = await openState({ dataDir, clock: systemClock, newId: randomUUID });
  try {
    const found = await state.users.byName(user);
    if (!found) {
      console.error(`no user ${user}`);
      return 2;
    }
    const given = args.includes('--stdin') ? await firstLine() : null;
    const password = given === null || given === '' ? generatePassword() : given;
    const hash = await hashPassword(password);
    await state.transaction(async (stores) => {
      await stores.users.setPassword(found.id, hash);
      await stores.sessions.deleteOfUser(found.id);
      await stores.audit.add({
        principal: 'operator',
        from: 'command line',
        verb: 'password:reset',
        target: `user ${user}`,
        outcome: 'done',
        details: {},
      });
    });
    console.log(password === given ? `password of ${user} set` : `new password of ${user}: ${password}`);
    return 0;
  } finally {
    await state.close();
  }
}

async function firstLine(): Promise<string | null> {
  const lines = createInterface({ input: process.stdin });
  for await (const line of lines) return line;
  return null;
}

process.exit(await main(process.argv.slice(2)));
