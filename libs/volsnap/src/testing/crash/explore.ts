import { isForgeError } from '@tiny-forge/contracts/domain';
import type { DockerPort } from '@tiny-forge/docker';
import { FS_READS, interceptFsPort, type FsPort } from '../../ports/fs-port.ts';
import type { FrozenPlan, RestoreEngine } from '../../restore-engine.ts';
import { CrashWorld, OPERATION, TX, WORKLOAD, type WorldShape } from './crash-world.ts';
import { appProblem, recordProblem, sweepProblems } from './invariants.ts';
import { combinations, isExhaustive, powerCuts } from './power-cuts.ts';
import { engineOn, realEngine, type MakeEngine } from './simulated-engine.ts';
import { plantings, strangerProblem } from './strangers.ts';
import { AFTER_CRASH, goForward, goToSwapped, takeBack, walkOn, type AfterCrash, type WalkMachine } from './walks.ts';
import { Watch, type WatchedNews } from './watch.ts';

export interface ExploreOptions {
  /** 1: crash the restore; 2: crash its recoveries too; 0: crash nothing. */
  readonly depth: 0 | 1 | 2;
  /** Default: the real one. */
  readonly engine?: MakeEngine;
  /** Around the file system of every engine. */
  readonly fs?: (inner: FsPort) => FsPort;
  /** Around the file system of the restore that is crashed, which is then tried again as a workflow does. */
  readonly fault?: (world: CrashWorld) => FsPort;
  /** Around the Engine of the restore that is crashed. */
  readonly dockerFault?: (world: CrashWorld) => DockerPort;
  readonly now?: () => Date;
  /** Ends after so many. Default 1. */
  readonly mostFailures?: number;
  /** Recover among directories of somebody else; what cannot go on may stop, and nothing of theirs is touched. */
  readonly strangers?: boolean;
}

export interface Exploration {
  /** Machines that a crash left and that were recovered from, each once. */
  readonly states: number;
  /** Recoveries run. */
  readonly recoveries: number;
  /** Whether every subset of changes in memory was walked; false only where an engine leaves very many. */
  readonly exhaustive: boolean;
  /** Machines left by a first crash, and by a crash of a recovery. */
  readonly byDepth: readonly number[];
  readonly failures: readonly string[];
}

interface State {
  readonly world: CrashWorld;
  readonly depth: number;
  /** Whether anybody has begun to take the restore back. */
  readonly history: 'forward' | 'back';
  /** How it came about, for the reader of a failure. */
  readonly story: string;
}

/**
 * Runs a restore on a simulated machine, forward and taken back, and crashes it after every effect in every way the model knows; recovers from each
 * in every way there is; and crashes the recoveries likewise.
 */
export const explore = (shape: WorldShape, options: ExploreOptions): Promise<Exploration> =>
  new Explorer(shape, options).run();

/** Recovers from machines that a test made, in every way there is, without crashing the recoveries. */
export const recoverFrom = (
  shape: WorldShape,
  plan: FrozenPlan,
  machines: readonly { readonly world: CrashWorld; readonly story: string }[],
  options: Pick<ExploreOptions, 'mostFailures'> & { readonly walks?: readonly AfterCrash[] },
): Promise<Exploration> =>
  new Explorer(shape, { ...options, depth: 1 }).from(plan, machines, options.walks ?? AFTER_CRASH);

const never = new AbortController().signal;
/** As a workflow: what may pass is tried again, so many times. */
const TRIES = 3;

class Explorer {
  readonly #shape: WorldShape;
  readonly #options: ExploreOptions;
  readonly #seen = new Set<string>();
  readonly #queue: State[] = [];
  readonly #failures: string[] = [];
  readonly #byDepth: number[] = [0, 0];
  #recoveries = 0;
  #exhaustive = true;

  constructor(shape: WorldShape, options: ExploreOptions) {
    this.#shape = shape;
    this.#options = options;
  }

  async from(
    plan: FrozenPlan,
    machines: readonly { readonly world: CrashWorld; readonly story: string }[],
    walks: readonly AfterCrash[],
  ): Promise<Exploration> {
    for (const { world, story } of machines)
      for (const walk of walks) await this.#recover({ world, depth: 1, history: 'forward', story }, walk, plan);
    return { ...this.#result(), states: machines.length };
  }

  async run(): Promise<Exploration> {
    for (const history of ['forward', 'back'] as const) {
      const { world, plan } = await CrashWorld.build(this.#shape);
      await this.#restore({ world, depth: 0, history, story: history === 'forward' ? 'forward' : 'taken back' }, plan);
      for (let next = this.#queue.shift(); next && !this.#isOver(); next = this.#queue.shift())
        for (const walk of AFTER_CRASH)
          if (this.#options.strangers === true) await this.#recoverAmongStrangers(next, walk, plan);
          else await this.#recover(next, walk, plan);
    }
    return this.#result();
  }

  #result(): Exploration {
    return {
      states: this.#seen.size,
      recoveries: this.#recoveries,
      exhaustive: this.#exhaustive,
      byDepth: this.#byDepth,
      failures: this.#failures,
    };
  }

  /** The restore that is crashed; by itself it ends as it should. */
  async #restore(state: State, plan: FrozenPlan): Promise<void> {
    const { world, history } = state;
    const { fault, dockerFault } = this.#options;
    const isFaulty = fault !== undefined || dockerFault !== undefined;
    const fs = fault?.(world) ?? this.#wrapped(world);
    const docker = dockerFault?.(world) ?? world.docker;
    await this.#watched(
      state,
      fs,
      async (engine) => {
        if (isFaulty) return persist(engine, { ...machineOf(world), docker }, plan, history);
        if (history === 'forward') {
          await goForward(engine, world, plan, history);
          await this.#collect(state, engine);
          return;
        }
        await goToSwapped(engine, plan);
        await takeBack(engine, world, plan);
      },
      docker,
    );
    if (isFaulty) {
      // What was left for the next start.
      await this.#engine(world).sweep(never);
      await walkOn('goes-on', this.#engine(world), world, plan, 'back');
    }
    const end = await this.#engine(world).status(OPERATION);
    if (!isFaulty && (end?.done === true) !== (history === 'forward'))
      this.#fail(state, 'a run without a crash did not end as it should');
    this.#check(state, end?.done === true ? 'new' : 'old', end?.record ?? 'NONE');
  }

  /** The janitor's turn where old trees are kept; before it, they are whole. */
  async #collect(state: State, engine: RestoreEngine): Promise<void> {
    if (this.#shape.safety === undefined) return;
    if (state.depth === 0)
      for (const { trees } of await engine.keptTrees())
        for (const { path } of trees)
          if (!state.world.isWholeBefore(path)) this.#fail(state, `${path} is not kept whole`);
    const { problems } = await engine.collectKept(never);
    for (const { code } of problems) this.#fail(state, `an old tree could not be collected: ${code}`);
  }

  /** Recovers a copy of the machine, checks it, recovers it again. */
  async #recover(state: State, walk: AfterCrash, plan: FrozenPlan): Promise<void> {
    this.#recoveries++;
    const world = copyOf(state.world);
    const history = walk === 'goes-on' ? state.history : 'back';
    const here: State = { world, depth: state.depth, history, story: `${state.story}; then ${walk}` };
    const before = { status: await this.#engine(world).status(OPERATION), side: world.side() };
    await this.#watched(here, this.#wrapped(world), async (engine) => {
      const report = await engine.sweep(never);
      const after = { status: await engine.status(OPERATION), side: world.side() };
      world.violations.push(...sweepProblems(report, before, after));
      await walkOn(walk, engine, world, plan, history);
      await this.#collect(here, engine);
    });
    const end = await this.#engine(world).status(OPERATION);
    this.#check(here, end?.done === true ? 'new' : 'old', end?.record ?? 'NONE');
    const problem = recordProblem(before.status, end, history);
    if (problem !== null) this.#fail(here, problem);
    await this.#checkTwice(here, walk, plan);
  }

  async #recoverAmongStrangers(state: State, walk: AfterCrash, plan: FrozenPlan): Promise<void> {
    if (state.world.docker.mounted().length > 0) return;
    for (const { name, plant } of plantings(state.world)) {
      this.#recoveries++;
      const world = copyOf(state.world);
      const tree = await plant(world);
      const here: State = { ...state, world, story: `${state.story}; ${name}; then ${walk}` };
      try {
        await this.#engine(world).sweep(never);
        await walkOn(walk, this.#engine(world), world, plan, 'back');
      } catch (error) {
        if (!isForgeError(error)) this.#fail(here, `it failed: ${describe(error)}`);
      }
      for (const violation of world.violations) this.#fail(here, violation);
      const problem = strangerProblem(world, tree);
      if (problem !== null) this.#fail(here, problem);
    }
  }

  /** I7: once more, and nothing changes. */
  async #checkTwice(state: State, walk: AfterCrash, plan: FrozenPlan): Promise<void> {
    if (this.#isOver()) return;
    const { world } = state;
    world.fs.settle();
    const before = world.key();
    try {
      await this.#engine(world).sweep(never);
      await walkOn(walk, this.#engine(world), world, plan, 'back');
    } catch (error) {
      this.#fail(state, `a second recovery failed: ${describe(error)}`);
    }
    world.fs.settle();
    const isBegun = (await this.#engine(world).status(OPERATION)) !== null;
    if (isBegun && world.key() !== before) this.#fail(state, 'I7: a second recovery changed something');
  }

  #check(state: State, side: 'old' | 'new', record: string): void {
    const { world } = state;
    for (const violation of world.violations) this.#fail(state, violation);
    world.violations.length = 0;
    if (world.side() !== side)
      this.#fail(state, `C1: ${record}, and the volumes are ${world.generations().join(', ')} instead of all ${side}`);
    const left = world.leftovers();
    if (left.length > 0) this.#fail(state, `C4: left behind with ${record}: ${left.join(', ')}`);
    const problem = appProblem(world, side, record);
    if (problem !== null) this.#fail(state, `C7: ${problem}`);
  }

  #isOver(): boolean {
    return this.#failures.length >= (this.#options.mostFailures ?? 1);
  }

  #fail(state: State, what: string): void {
    if (!this.#isOver()) this.#failures.push(`${what} [${state.story}]`);
  }

  #wrapped(world: CrashWorld): FsPort {
    return this.#options.fs?.(world.fs) ?? world.fs;
  }

  #engine(world: CrashWorld, fs = this.#wrapped(world), docker: DockerPort = world.docker): RestoreEngine {
    return engineOn(world, { fs, docker, make: this.#options.engine ?? realEngine, now: this.#options.now });
  }

  /** Runs `work` on an engine and notes every machine that a crash after any of its effects could leave. */
  async #watched(
    state: State,
    inner: FsPort,
    work: (engine: RestoreEngine) => Promise<void>,
    innerDocker: DockerPort = state.world.docker,
  ): Promise<void> {
    const { world } = state;
    const watch = new Watch(world);
    const after = (call: string): void => {
      const news = watch.look(call);
      if (news === null) return;
      if (news.renamed) world.checkRunning(call);
      if (state.depth < this.#options.depth && !this.#isOver()) this.#crash(state, call, news);
    };
    const fs = interceptFsPort(inner, async (call, proceed) => {
      try {
        return await proceed();
      } finally {
        if (!FS_READS.includes(call.name)) after(`${call.name} ${call.args.map(shown).join(' ')}`);
      }
    });
    const docker = new Proxy(innerDocker, {
      get: (target, property) => {
        const method = Reflect.get(target, property, target) as unknown;
        if (typeof method !== 'function') return method;
        return async (...args: unknown[]) => {
          const answer: unknown = await Reflect.apply(method, target, args);
          after(`${String(property)} ${args.map(shown).join(' ')}`);
          return answer;
        };
      },
    });
    try {
      await work(this.#engine(world, fs, docker));
    } catch (error) {
      this.#fail(state, `it failed: ${describe(error)}`);
    }
  }

  #crash(state: State, call: string, news: WatchedNews): void {
    const { world, depth, history, story } = state;
    if (news.held && world.docker.mounted().length === 0) {
      const restarted = world.crashed(world.fs, 'power-cut');
      if (restarted.docker.mounted().length > 0)
        this.#fail(state, `I5: a restart of the daemon starts the app after ${call}`);
    }
    const disks = [...world.fs.disks.values()];
    const add = (next: CrashWorld, how: string): void => {
      const key = next.key();
      if (this.#seen.has(key)) return;
      this.#seen.add(key);
      this.#byDepth[depth] = (this.#byDepth[depth] ?? 0) + 1;
      this.#queue.push({ world: next, history, depth: depth + 1, story: `${story}; ${how} after ${call}` });
    };
    add(world.crashed(world.fs.forked(), 'kill'), 'killed');
    this.#exhaustive &&= disks.every(isExhaustive);
    const choices = disks.map((disk) => [...powerCuts(disk, news.byDisk.get(disk.id) ?? null)]);
    for (const left of combinations(choices)) add(world.crashed(world.fs.after(left), 'power-cut'), 'power cut');
  }
}

/** As a workflow: each way is tried so many times, first forward, then back. */
async function persist(
  engine: RestoreEngine,
  world: WalkMachine,
  plan: FrozenPlan,
  history: 'forward' | 'back',
): Promise<void> {
  const forward = async (): Promise<void> => {
    await goForward(engine, world, plan, 'forward');
  };
  const back = async (): Promise<void> => {
    if ((await engine.status(OPERATION))?.done !== true) await takeBack(engine, world, plan);
  };
  const toSwapped = () => goToSwapped(engine, plan);
  let last: unknown;
  for (const way of history === 'forward' ? [forward, back] : [toSwapped, back])
    for (let tries = 0; ; tries++)
      try {
        await way();
        if (way === toSwapped) break;
        return;
      } catch (error) {
        if (!isForgeError(error)) throw error;
        last = error;
        if (tries === TRIES) break;
      }
  throw last;
}

const machineOf = (world: CrashWorld): WalkMachine => ({
  docker: world.docker,
  livePaths: world.livePaths,
  makeMissing: world.makeMissing,
  makeInstance: world.makeInstance,
});

export function copyOf(world: CrashWorld): CrashWorld {
  return world.crashed(world.fs.forked(), 'kill');
}

/** Of a journal record its type alone: stories are read by people. */
function shown(arg: unknown): string {
  if (typeof arg === 'string') return arg.replaceAll(TX, '<tx>').replaceAll(`${WORKLOAD}.${OPERATION}`, '<ids>');
  if (!(arg instanceof Uint8Array)) return typeof arg === 'number' ? `${arg}` : '';
  const text = Buffer.from(arg).toString('latin1');
  return [...text.matchAll(/"type":"([A-Z_]+)"/g)].at(-1)?.[1] ?? `<${arg.length} bytes>`;
}

const describe = (error: unknown): string =>
  error instanceof Error ? `${(error as { code?: string }).code ?? error.name} ${error.message}` : String(error);
