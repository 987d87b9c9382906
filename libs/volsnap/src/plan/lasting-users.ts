import { setTimeout as sleep } from 'node:timers/promises';
import type { DirectoryUser } from './host-facts.ts';

/** Between looks, ms: an app waits for the first ones, standing still. */
const WAITS_MS = [20, 50, 100, 280, 800];
const MAX_LOOKS = 4 * WAITS_MS.length;

/** Whether a user of a directory stands in the way: it runs, and does not merely have the whole host mounted. */
export const blocks = (user: DirectoryUser): boolean => user.running && !user.watchesWholeHost;

/**
 * Users as `look` tells them once the fleeting ones are gone: a process that was just ending, or a container that is being made, which may show a copy
 * of all mounts of the host for a moment, is none. One that stands in the way was seen again and again for 1.25 s; where it is another one at each
 * look, as on a busy host, the looks go on, up to 5 s.
 */
export async function lastingUsers(look: () => Promise<readonly DirectoryUser[]>): Promise<readonly DirectoryUser[]> {
  const looks = new Map<string, number>();
  for (let n = 0; ; n++) {
    const users = await look();
    const standing = users.filter(blocks).map((user) => `${user.name} ${user.path}`);
    for (const key of looks.keys()) if (!standing.includes(key)) looks.delete(key);
    for (const key of standing) looks.set(key, (looks.get(key) ?? 0) + 1);
    const longest = Math.max(0, ...looks.values());
    if (longest === 0 || longest > WAITS_MS.length || n === MAX_LOOKS) return users;
    await sleep(WAITS_MS[n % WAITS_MS.length]);
  }
}
