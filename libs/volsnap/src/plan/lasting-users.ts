import { setTimeout as sleep } from 'node:timers/promises';
import type { DirectoryUser } from './host-facts.ts';

/** Between looks, ms: an app waits for the first ones, standing still. */
const WAITS_MS = [20, 50, 100, 280, 800];

/** Whether a user of a directory stands in the way: it runs, and does not merely have the whole host mounted. */
export const blocks = (user: DirectoryUser): boolean => user.running && !user.watchesWholeHost;

/**
 * Users as `look` tells them once the fleeting ones are gone: a process that was just ending, or a container that is being made, which has a copy
 * of all mounts of the host for a moment, is none. Takes up to 1.25 s when there is one that stays.
 */
export async function lastingUsers(look: () => Promise<readonly DirectoryUser[]>): Promise<readonly DirectoryUser[]> {
  for (let n = 0; ; n++) {
    const users = await look();
    const wait = WAITS_MS[n];
    if (wait === undefined || !users.some(blocks)) return users;
    await sleep(wait);
  }
}
