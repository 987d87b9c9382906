import { isForgeError } from '@tiny-forge/contracts/domain';
import { WorkloadMutex } from '../../host-mutex.ts';
import { engineOver, partsOf } from '../../create-restore-engine.ts';
import type { EngineParts } from '../../engine-parts.ts';
import { PluginRegistry } from '@tiny-forge/plugin-api';
import { FS_READS, interceptFsPort, type FsPort } from '../../ports/fs-port.ts';
import type { FrozenPlan, RestoreEngine } from '../../restore-engine.ts';
import { jsonArchive } from '../json-archive-port.ts';
import { CrashFs } from './crash-fs.ts';
import { CrashWorld, DATA, INSTALLATION, OPERATION, TX, WORKLOAD, type WorldShape } from './crash-world.ts';
import { combinations, isExhaustive, powerCuts } from './power-cuts.ts';
import { plantings, strangerProblem } from './strangers.ts';
import { AFTER_CRASH, goForward, goToSwapped, takeBack, walkOn, type AfterCrash } from './walks.ts';
import { Watch, type WatchedNews } from './watch.ts';

/** An engine over a machine; other than the real one where a test breaks it on purpose. */
export type MakeEngine = (parts: EngineParts) => RestoreEngine;
export const realEngine: MakeEngine = (parts) => engineOver(parts, new WorkloadMutex());

export interface Exploration {
  /** Machines that a crash left and that were recovered from, each once. */
  readonly states: number;
  /** Recoveries run. */
  readonly recoveries: number;
  /** Whether every subset of changes in memory was walked; false only where an engine leaves very many. */
  readonly exhaustive: boolean;
  /** Of a first crash, and of a crash inside a recovery. */
  readonly byDepth: readonly number[];
  readonly failures: readonly string[];
}

interface Limits {
  readonly depth: number;
  readonly mostFailures: number;
  readonly strangers: boolean;
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
 * in every way there is; and crashes the recovery likewise, to `depth`. Ends early after `mostFailures`.
 */
export async function explore(
  shape: WorldShape,
  options: {
    readonly depth: 1 | 2;
    readonly engine?: MakeEngine;
    readonly fs?: (inner: FsPort) => FsPort;
    readonly mostFailures?: number;
    /** Recover among directories of somebody else; what cannot go on may stop, and nothing of theirs is touched. */
    readonly strangers?: boolean;
  },
): Promise<Exploration> {
  const explorer = new Explorer(shape, options.engine ?? realEngine, options.fs ?? ((inner) => inner), {
    depth: options.depth,
    mostFailures: options.mostFailures ?? 1,
    strangers: options.strangers ?? false,
  });
  return explorer.run();
}

const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };

class Explorer {
  readonly #shape: WorldShape;
  readonly #makeEngine: MakeEngine;
  readonly #wrap: (inner: FsPort) => FsPort;
  readonly #limits: Limits;
  readonly #seen = new Set<string>();
  readonly #queue: State[] = [];
  readonly #failures: string[] = [];
  readonly #byDepth: number[] = [0, 0];
  #recoveries = 0;
  #exhaustive = true;

  constructor(shape: WorldShape, makeEngine: MakeEngine, wrap: (inner: FsPort) => FsPort, limits: Limits) {
    this.#shape = shape;
    this.#makeEngine = makeEngine;
    this.#wrap = wrap;
    this.#limits = limits;
  }

  async run(): Promise<Exploration> {
    for (const kind of ['forward', 'taken back'] as const) {
      const { world, plan } = await CrashWorld.build(this.#shape);
      const history = kind === 'forward' ? 'forward' : 'back';
      const state: State = { world, depth: 0, history, story: kind };
      await this.#watched(state, plan, async (engine) => {
        if (kind === 'forward') return goForward(engine, world, plan, history);
        await goToSwapped(engine, plan);
        await takeBack(engine, world, plan);
      });
      this.#check(state, kind === 'forward' ? 'new' : 'old', 'a run without a crash');
      for (let next = this.#queue.shift(); next && !this.#isOver(); next = this.#queue.shift())
        for (const walk of AFTER_CRASH)
          await (this.#limits.strangers ? this.#recoverAmongStrangers : this.#recover).call(this, next, walk, plan);
    }
    return {
      states: this.#seen.size,
      recoveries: this.#recoveries,
      exhaustive: this.#exhaustive,
      byDepth: this.#byDepth,
      failures: this.#failures,
    };
  }

  #isOver(): boolean {
    return this.#failures.length >= this.#limits.mostFailures;
  }

  /** Recovers a copy of the machine, checks it, recovers it again. */
  async #recover(state: State, walk: AfterCrash, plan: FrozenPlan): Promise<void> {
    this.#recoveries++;
    const world = copyOf(state.world);
    const story = `${state.story}; then ${walk}`;
    const history = walk === 'goes-on' ? state.history : 'back';
    const here: State = { world, depth: state.depth, history, story };
    const engine = this.#engine(world, this.#wrap(world.fs));
    const found = await engine.status(OPERATION).catch(() => null);
    const sideBefore = world.side();
    await this.#watched(here, plan, async (live) => {
      const report = await live.sweep(never);
      for (const { file, detail } of report.corrupt) world.violations.push(`${file} is corrupt: ${detail}`);
      for (const one of report.unresolved) world.violations.push(`unresolved: ${one.code} ${one.detail}`);
      const swept = await live.status(OPERATION);
      const wanted = { COMMIT: 'new', SWAPPED: 'new', DONE: 'new', ROLLBACK: 'old', ROLLED_BACK: 'old' } as const;
      const side = world.side();
      const decided = found && found.record in wanted ? wanted[found.record as keyof typeof wanted] : null;
      if (side !== (decided ?? sideBefore))
        world.violations.push(`I4: ${found?.record ?? 'NONE'} is ${side} after the sweep`);
      if (side === 'mixed') world.violations.push('I4: mixed after the sweep');
      if (found?.record === 'COMMIT' && swept?.record !== 'SWAPPED')
        world.violations.push(`I4: COMMIT became ${swept?.record ?? 'NONE'}`);
      await walkOn(walk, live, world, plan, history);
    });
    const end = await engine.status(OPERATION).catch(() => null);
    this.#check(here, end?.done === true ? 'new' : 'old', end?.record ?? 'NONE');
    const isBack = found?.record === 'ROLLBACK' || found?.record === 'ROLLED_BACK';
    if (isBack && end?.done === true) this.#fail(here, 'I4: ROLLBACK was not final');
    if (history === 'forward' && !isBack && end?.done !== true)
      this.#fail(here, 'the workflow went on, and nothing stood in its way, and the restore is not done');
    if (end !== null && end.record !== 'CLOSED') this.#fail(here, `the journal is left at ${end.record}`);
    await this.#checkTwice(here, walk, plan);
  }

  async #recoverAmongStrangers(state: State, walk: AfterCrash, plan: FrozenPlan): Promise<void> {
    if (state.world.docker.mounted().length > 0) return;
    for (const { name, plant } of plantings(state.world)) {
      this.#recoveries++;
      const world = copyOf(state.world);
      const tree = await plant(world);
      const here: State = { ...state, world, story: `${state.story}; ${name}; then ${walk}` };
      const engine = this.#engine(world, this.#wrap(world.fs));
      try {
        await engine.sweep(never);
        await walkOn(walk, engine, world, plan, 'back');
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
    const engine = this.#engine(world, this.#wrap(world.fs));
    try {
      await engine.sweep(never);
      if ((await engine.status(OPERATION))?.record === 'CLOSED' && walk === 'recovers')
        await walkOn(walk, engine, world, plan, state.history);
    } catch (error) {
      this.#fail(state, `a second recovery failed: ${describe(error)}`);
    }
    world.fs.settle();
    if (world.key() !== before) this.#fail(state, 'I7: a second recovery changed something');
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

  #fail(state: State, what: string): void {
    if (!this.#isOver()) this.#failures.push(`${what} [${state.story}]`);
  }

  #engine(world: CrashWorld, fs: FsPort, docker: EngineParts['docker'] = world.docker): RestoreEngine {
    const parts = partsOf({
      dataDir: DATA,
      installation: INSTALLATION,
      hostId: 'simulated',
      fs,
      docker,
      registry: new PluginRegistry([]),
      scopeContext: (workloadId) => ({ dataDir: DATA, workloadId, allowedRoots: [], forbidden: [] }),
      key: Buffer.alloc(32),
      clock: { now: () => new Date('2026-01-01T00:00:00Z') },
      log: silent,
      reserve: { fraction: 0, minBytes: 0 },
      archive: jsonArchive(fs),
      mountUsers: world.mountUsers,
    });
    return this.#makeEngine(parts);
  }

  /** Runs `work` on an engine and notes every machine that a crash after any of its effects could leave. */
  async #watched(state: State, plan: FrozenPlan, work: (engine: RestoreEngine) => Promise<void>): Promise<void> {
    const { world } = state;
    const watch = new Watch(world);
    const after = (call: string): void => {
      const news = watch.look(call);
      if (news === null) return;
      if (news.renamed) world.checkRunning(call);
      if (state.depth < this.#limits.depth && !this.#isOver()) this.#crash(state, call, news);
    };
    const fs = interceptFsPort(this.#wrap(world.fs), async (call, proceed) => {
      const answer = await proceed();
      if (!FS_READS.includes(call.name)) after(`${call.name} ${call.args.map(shown).join(' ')}`);
      return answer;
    });
    const docker = new Proxy(world.docker, {
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
    const { world, depth, history } = state;
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
      this.#queue.push({ world: next, history, depth: depth + 1, story: `${state.story}; ${how} after ${call}` });
    };
    add(world.crashed(new CrashFs(disks.map((disk) => disk.clone())), 'kill'), 'killed');
    this.#exhaustive &&= disks.every(isExhaustive);
    const choices = disks.map((disk) => [...powerCuts(disk, news.byDisk.get(disk.id) ?? null)]);
    for (const left of combinations(choices)) add(world.crashed(new CrashFs(left), 'power-cut'), 'power cut');
  }
}

const never = new AbortController().signal;

function copyOf(world: CrashWorld): CrashWorld {
  return world.crashed(new CrashFs([...world.fs.disks.values()].map((disk) => disk.clone())), 'kill');
}

/** Of a journal record its type alone: stories are read by people. */
function shown(arg: unknown): string {
  if (!(arg instanceof Uint8Array))
    return typeof arg === 'object'
      ? ''
      : String(arg).replaceAll(TX, '<tx>').replaceAll(`${WORKLOAD}.${OPERATION}`, '<ids>');
  const text = Buffer.from(arg).toString('latin1');
  return [...text.matchAll(/"type":"([A-Z_]+)"/g)].at(-1)?.[1] ?? `<${arg.length} bytes>`;
}

const describe = (error: unknown): string =>
  error instanceof Error ? `${(error as { code?: string }).code ?? error.name} ${error.message}` : String(error);

/** C7: the app is as it was, or as a restore makes it; nothing else of ours is left on the Engine. */
function appProblem(world: CrashWorld, side: 'old' | 'new', record: string): string | null {
  const { app } = world.shape;
  const { instances, others } = world.containers();
  // Without a journal nobody knows of the holder: the sweep removes it after a day.
  if (others.length > 0 && record !== 'NONE') return `${others.join(', ')} is left`;
  const running = instances.filter((one) => one.running);
  const wanted = side === 'new' ? (app === 'stopped' ? 0 : 1) : app === 'running' ? 1 : 0;
  if (running.length !== wanted) return `${running.length} containers run instead of ${wanted}`;
  const policy = side === 'new' && wanted === 1 ? 'unless-stopped' : 'always';
  const wrong = instances.find((one) => one.restartPolicy !== policy);
  return wrong ? `${wrong.name} has the policy ${wrong.restartPolicy} instead of ${policy}` : null;
}
