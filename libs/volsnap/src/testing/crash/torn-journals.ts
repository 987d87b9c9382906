import { interceptFsPort } from '../../ports/fs-port.ts';
import type { FrozenPlan } from '../../restore-engine.ts';
import { CrashWorld, type WorldShape } from './crash-world.ts';
import { copyOf } from './explore.ts';
import { engineOn, realEngine } from './simulated-engine.ts';
import { goForward } from './walks.ts';

/** A journal in the middle of an append: the machine, the file, and the record that was being written. */
export interface Append {
  readonly world: CrashWorld;
  readonly file: string;
  readonly offset: number;
  readonly record: Buffer;
}

/** Every append of one restore, each with the machine as it was just before it. */
export async function appendsOf(shape: WorldShape): Promise<{ readonly plan: FrozenPlan; readonly appends: Append[] }> {
  const { world, plan } = await CrashWorld.build(shape);
  const appends: Append[] = [];
  const names = new Map<number, string>();
  const fs = interceptFsPort(world.fs, async (call, proceed) => {
    if (call.name === 'write' && names.has(call.args[0] as number)) {
      const [fd, offset, bytes] = call.args as [number, number, Uint8Array];
      appends.push({ world: copyOf(world), file: names.get(fd) as string, offset, record: Buffer.from(bytes) });
    }
    const answer = await proceed();
    if (call.name === 'open') names.set(answer as number, String(call.args[0]));
    if (call.name === 'close') names.delete(call.args[0] as number);
    return answer;
  });
  await goForward(engineOn(world, { fs, docker: world.docker, make: realEngine }), world, plan, 'forward');
  return { plan, appends };
}

/** The machine after a power cut that let `length` bytes of the record reach the disk. */
export function tornAt({ world, file, offset, record }: Append, length: number): CrashWorld {
  const torn = copyOf(world);
  torn.fs.settle();
  torn.docker.powerCut();
  const found = torn.fs.look(file);
  if (!found) throw new Error(`no ${file}`);
  const content = Buffer.from(found.inode.content);
  record.copy(content, offset, 0, length);
  found.inode.content = content;
  found.inode.durable = content;
  return torn;
}
