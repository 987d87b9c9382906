import { isForgeError } from '@tiny-forge/contracts/domain';
import type { DockerPort } from '@tiny-forge/docker';
import type { FrozenPlan, RestoreEngine } from '../../restore-engine.ts';
import { quietContext } from '../restore-house.ts';
import { OPERATION } from './crash-world.ts';

/**
 * What goes on after a crash. Each begins with the sweep, as every start of a host does:
 * `goes-on`: the workflow repeats its steps and takes back what cannot go forward; `recovers`: an operation of kind `recover` ends the journal
 * (restore.md 4, `recover-steps.ts`); `takes-back`: the workflow had failed and compensates.
 */
export const AFTER_CRASH = ['goes-on', 'recovers', 'takes-back'] as const;
export type AfterCrash = (typeof AFTER_CRASH)[number];

const never = new AbortController().signal;

/** What a walk needs of the machine besides the engine: what the deployer would do. */
export interface WalkMachine {
  readonly docker: DockerPort;
  readonly livePaths: readonly string[];
  /** As a deploy makes the directory of a volume. */
  makeMissing(path: string): Promise<void>;
  makeInstance(name: string, policy: 'always' | 'no', operation: string): Promise<string>;
}

/**
 * The order of restore.md 1; a step that the journal forbids is taken back.
 * @param history `back`: somebody had begun to take it back, so that any step may fail and is taken back
 */
export async function goForward(
  engine: RestoreEngine,
  world: WalkMachine,
  plan: FrozenPlan,
  history: 'forward' | 'back',
): Promise<void> {
  try {
    await goToSwapped(engine, plan);
    await redeployAndFinish(engine, world, plan);
  } catch (error) {
    if (!isForgeError(error)) throw error;
    if (history === 'forward' && !['TX_ROLLED_BACK', 'TX_STATE'].includes(error.code)) throw error;
    if ((await engine.status(OPERATION))?.done === true) throw error;
    await takeBack(engine, world, plan);
  }
}

export async function goToSwapped(engine: RestoreEngine, plan: FrozenPlan): Promise<void> {
  await engine.extract(plan, quietContext());
  await engine.stop(plan, quietContext());
  if (plan.safety === 'snapshot') await engine.recordSafe(plan, 'safety');
  else await engine.recordOldTreesKept(plan);
  await engine.swap(plan, quietContext());
}

/** As the deployer does it inside a restore: recreate, through the gate that every dispatch passes. */
async function redeployAndFinish(engine: RestoreEngine, world: WalkMachine, plan: FrozenPlan): Promise<void> {
  const { before } = await engine.assertMayRedeploy(plan, never);
  const status = await engine.status(OPERATION);
  if (before === 'stopped' || status?.done === true) {
    await engine.finish(plan, [], quietContext());
    return;
  }
  await engine.finish(plan, [await deploy(engine, world, 'no')], quietContext());
}

async function deploy(engine: RestoreEngine, world: WalkMachine, policy: 'no' | 'always'): Promise<string> {
  const { docker, livePaths: paths } = world;
  await engine.assertMayStart((await engine.status(OPERATION))?.workloadId ?? '', paths, OPERATION);
  const all = await docker.listContainers({ 'io.tiny-forge.role': 'instance' });
  const own = all.find((one) => one.labels['io.tiny-forge.operation'] === OPERATION);
  for (const one of all) if (one !== own) await docker.removeContainer(one.id, { force: true });
  // Dispatch makes the missing directory of a volume, inside a restore too.
  for (const path of paths) await world.makeMissing(path);
  const id = own?.id ?? (await world.makeInstance('app-new', policy, OPERATION));
  await docker.startContainer(id);
  return id;
}

/** The chain of undo in its order. */
export async function takeBack(engine: RestoreEngine, world: WalkMachine, plan: FrozenPlan): Promise<void> {
  await engine.removeNew(plan, never);
  await engine.swapBack(plan, never);
  await engine.resume(
    plan,
    async () => {
      await deploy(engine, world, 'always');
    },
    never,
  );
  await engine.dropStaging(plan, never);
  await engine.close(plan, never);
}

/** What follows a crash, after the sweep. */
export async function walkOn(
  walk: AfterCrash,
  engine: RestoreEngine,
  world: WalkMachine,
  plan: FrozenPlan,
  history: 'forward' | 'back',
): Promise<void> {
  const status = await engine.status(OPERATION);
  if (walk === 'goes-on') return goForward(engine, world, plan, history);
  if (walk === 'takes-back')
    return status?.done === true ? goForward(engine, world, plan, 'forward') : takeBack(engine, world, plan);
  switch (status?.record) {
    case undefined:
    case 'CLOSED':
      return;
    case 'BEGIN':
    case 'STAGED':
      await engine.dropStaging(plan, never);
      return engine.close(plan, never);
    case 'COMMIT':
    case 'SWAPPED':
    case 'DONE':
      await engine.swap(plan, quietContext());
      return redeployAndFinish(engine, world, plan);
    default:
      return takeBack(engine, world, plan);
  }
}
