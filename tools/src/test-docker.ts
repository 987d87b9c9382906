import fs from 'node:fs';
import { ensureCgroups } from './cgroups.ts';
import { thisMachine } from './commands.ts';
import { planDockerd, startDockerd, type DockerdRecord } from './dockerd.ts';
import { terminal } from './terminal.ts';

/** A daemon of the tests’ own, in the room that this process is in. */
export async function startTestDocker(folder: string): Promise<DockerdRecord> {
  const machine = thisMachine();
  const busybox = process.env['BUSYBOX_PATH'] ?? 'busybox';
  await machine.run(busybox, ['ip', 'link', 'set', 'lo', 'up']);
  // A containerd of the machine's would start the tests' containers outside of this room.
  if (fs.existsSync('/run/containerd')) await machine.run('mount', ['-t', 'tmpfs', 'tmpfs', '/run/containerd']);
  await ensureCgroups(machine);
  const dockerd = machine.which('dockerd');
  if (dockerd === null) throw new Error('dockerd was there a moment ago');
  const plan = { ...planDockerd(folder, folder), liveRestore: false };
  const { record, notes } = await startDockerd(dockerd, plan, machine.which('iptables-legacy'));
  for (const note of notes) terminal.say('docker', note);
  return record;
}
