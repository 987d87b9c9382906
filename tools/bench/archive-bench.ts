import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { checkout } from '../bootstrap.mjs';
import { aptCommand, aptInstall } from '../src/apt.ts';
import { thisMachine } from '../src/commands.ts';
import { terminal } from '../src/terminal.ts';
import { aims, contestants, maxPeakMiB, type Contestant } from './contestants.ts';
import { makeDatabase, makeSmallFiles } from './data-sets.ts';
import { FreshDisk } from './fresh-disk.ts';
import { measure, median, type Measured } from './measured-run.ts';

const usage = `Usage: npm run bench -- archive [options]
  --scale N      size of both sets, 1 = 1 GiB each (default), 0.1 for a short run
  --rounds N     default 3; slow rivals (gzip, pigz, restic, borg) run in the first --slow-rounds (default 1)
  --sets A,B     A a database of 15 files, B 60,000 small files
  --steps capture,restore
  --only a,b     names of contestants
  --dir PATH     where the sets, archives and the loop disk lie; needs about 7 GiB at scale 1; removed at the end
Runs everything in turn, on a fresh ext4 each time, page cache warm, memory touched before; times include a sync. Ratios are
medians of the ratios within a round.
`;

type SetName = 'A' | 'B';
type Step = 'capture' | 'restore';

interface Options {
  scale: number;
  rounds: number;
  slowRounds: number;
  sets: SetName[];
  steps: Step[];
  only: string[] | undefined;
  dir: string;
}

function parseOptions(args: string[]): Options | undefined {
  const { values } = parseArgs({
    args,
    options: {
      scale: { type: 'string', default: '1' },
      rounds: { type: 'string', default: '3' },
      'slow-rounds': { type: 'string', default: '1' },
      sets: { type: 'string', default: 'A,B' },
      steps: { type: 'string', default: 'capture,restore' },
      only: { type: 'string' },
      dir: { type: 'string', default: os.tmpdir() },
      help: { type: 'boolean' },
    },
  });
  if (values.help === true) return undefined;
  return {
    scale: Number(values.scale),
    rounds: Number(values.rounds),
    slowRounds: Number(values['slow-rounds']),
    sets: values.sets.split(',') as SetName[],
    steps: values.steps.split(',') as Step[],
    only: values.only?.split(','),
    dir: values.dir,
  };
}

/** @returns exit code; 0 also where an aim was missed: the figures are the result */
export async function runArchiveBench(args: string[]): Promise<number> {
  const options = parseOptions(args);
  if (options === undefined) {
    terminal.print(usage);
    return 0;
  }
  const key = 'ours';
  const node = path.join(checkout, 'node_modules', '.bin', 'node');
  const preload = path.join(checkout, 'tools', 'compile-cache.mjs');
  const ours = `"${node}" --conditions=tiny-forge-source --import="file://${preload}" "${path.join(checkout, 'libs', 'archive-safe', 'archive.ts')}"`;
  const wanted = contestants(ours).filter(({ name }) => options.only === undefined || options.only.includes(name));
  const running = await provide(wanted);
  const room = fs.mkdtempSync(path.join(options.dir, 'tiny-forge-bench-'));
  const disk = new FreshDisk(room, Math.max(1 << 30, Math.round(options.scale * 5 * 2 ** 30)));
  try {
    if (!disk.isFresh)
      terminal.say(
        key,
        'not root: every run goes into a folder instead of a fresh ext4; figures of many files are too high',
      );
    for (const set of options.sets) new SetBench(set, options, room, disk, running).run();
    return 0;
  } finally {
    disk.release();
    fs.rmSync(room, { recursive: true, force: true });
  }
}

/** Those whose programs are there, installing as root what is not; says what is missing and how to get it. */
async function provide(wanted: readonly Contestant[]): Promise<Contestant[]> {
  const machine = thisMachine();
  const missing = (): (readonly [string, string])[] =>
    [['python3', 'python3'] as const, ...wanted.flatMap(({ needs }) => needs)].filter(
      ([program]) => machine.which(program) === null,
    );
  const packages = [...new Set(missing().map(([, name]) => name))];
  if (packages.length > 0 && machine.isRoot && machine.hasApt) {
    await aptInstall(machine, terminal, 'rivals', packages, 'what the archives are compared with');
  }
  const absent = new Set(missing().map(([program]) => program));
  const left = wanted.filter(({ needs }) => !needs.some(([program]) => absent.has(program)));
  for (const { name, needs } of wanted) {
    const lacks = needs.filter(([program]) => absent.has(program)).map(([, packageName]) => packageName);
    if (lacks.length > 0) terminal.say('missing', `${name} does not run: ${aptCommand(lacks, !machine.isRoot)}`);
  }
  return left;
}

class SetBench {
  #set: SetName;
  #options: Options;
  #disk: FreshDisk;
  #contestants: Contestant[];
  #source: string;
  #env: NodeJS.ProcessEnv;
  #bytes = 0;

  constructor(set: SetName, options: Options, room: string, disk: FreshDisk, running: Contestant[]) {
    this.#set = set;
    this.#options = options;
    this.#disk = disk;
    this.#contestants = running;
    this.#source = path.join(room, `source-${set}`);
    const keep = path.join(room, `keep-${set}`);
    fs.mkdirSync(keep);
    this.#env = {
      ...process.env,
      S: this.#source,
      D: 'data',
      T: disk.mountPoint,
      R: keep,
      RESTIC_PASSWORD: 'benchmark',
      RESTIC_CACHE_DIR: path.join(room, 'restic-cache'),
      BORG_BASE_DIR: path.join(room, 'borg'),
      BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK: 'yes',
      BORG_RELOCATED_REPO_ACCESS_IS_OK: 'yes',
    };
  }

  run(): void {
    const data = path.join(this.#source, 'data');
    fs.mkdirSync(data, { recursive: true });
    const { scale } = this.#options;
    terminal.say(`set ${this.#set}`, 'making it');
    if (this.#set === 'A') makeDatabase(data, scale);
    else makeSmallFiles(data, scale);
    const [bytes, entries] = this.#shell(`du -sb "$S/$D" | cut -f1; find "$S/$D" | wc -l`)
      .trim()
      .split('\n')
      .map(Number) as [number, number];
    this.#bytes = bytes;
    const packed = Number(
      this.#shell('{ tar -C "$S" -c "$D" || true; } 2>/dev/null | head -c 268435456 | gzip -6 | wc -c'),
    );
    const ratio = Math.min(bytes, 268_435_456) / packed;
    terminal.say(
      '',
      `${Math.round(bytes / 2 ** 20)} MiB, ${entries} entries, gzip -6 of its beginning ${ratio.toFixed(2)}`,
    );
    if (this.#options.steps.includes('capture')) this.#rounds('capture');
    if (this.#options.steps.includes('restore')) {
      for (const { store } of this.#contestants) if (store !== undefined) this.#shell(store);
      this.#rounds('restore');
    }
    fs.rmSync(this.#source, { recursive: true });
  }

  #rounds(step: Step): void {
    const results = new Map<string, (Measured | undefined)[]>();
    const sizes = new Map<string, number>();
    for (let round = 0; round < this.#options.rounds; round++) {
      for (const contestant of this.#contestants) {
        const { name, prepare, slow } = contestant;
        const command = contestant[step];
        if (command === undefined || (slow === true && round >= this.#options.slowRounds)) continue;
        this.#disk.renew();
        if (step === 'capture' && prepare !== undefined) this.#shell(prepare);
        this.#settle(step);
        const list = results.get(name) ?? [];
        try {
          list[round] = measure(command, this.#disk.mountPoint, this.#env);
          sizes.set(name, Number(this.#shell('du -sm "$T" | cut -f1')));
        } catch (error) {
          terminal.say('failed', `${name}: ${(error as Error).message}`);
        }
        results.set(name, list);
      }
    }
    this.#print(step, results, sizes);
  }

  /** Page cache warm; memory of a virtual machine touched, its first use costs more than the run. */
  #settle(step: Step): void {
    this.#shell('sync; find "$S/$D" -type f -print0 | xargs -0 -n 256 cat > /dev/null');
    if (step === 'restore') this.#shell('find "$R" -type f -print0 | xargs -0 cat > /dev/null');
    const touched = Math.min(3 * 2 ** 30 * Math.min(1, this.#options.scale), os.freemem() / 2);
    this.#shell(`head -c ${Math.round(touched)} /dev/zero > /dev/shm/tiny-forge-bench; rm /dev/shm/tiny-forge-bench`);
  }

  #print(step: Step, results: Map<string, (Measured | undefined)[]>, sizes: Map<string, number>): void {
    const total = ({ wallSeconds, syncSeconds }: Measured): number => wallSeconds + syncSeconds;
    const runs = (name: string): Measured[] => (results.get(name) ?? []).filter((one) => one !== undefined);
    const ratio = (name: string, rival: string): number | undefined => {
      const pairs = (results.get(name) ?? []).flatMap((one, i) => {
        const other = results.get(rival)?.[i];
        return one === undefined || other === undefined ? [] : [total(one) / total(other)];
      });
      return pairs.length === 0 ? undefined : median(pairs);
    };
    const shown = (value: number | undefined): string => (value === undefined ? '' : value.toFixed(2));
    const head = [
      'tool',
      'wall s',
      '+sync',
      'CPU s',
      'MB/s',
      'disk MiB',
      'time / tar|zstd',
      'ours / it',
      'peak MiB',
      'n',
    ];
    const rows = [...results.keys()]
      .filter((name) => runs(name).length > 0)
      .map((name) => {
        const all = runs(name);
        const of = (field: (one: Measured) => number): number => median(all.map(field));
        return [
          name,
          of((one) => one.wallSeconds).toFixed(2),
          of((one) => one.syncSeconds).toFixed(2),
          of((one) => one.cpuSeconds).toFixed(2),
          (this.#bytes / 1e6 / of(total)).toFixed(0),
          String(sizes.get(name) ?? ''),
          shown(ratio(name, 'tar|zstd -3 -T0')),
          shown(ratio('tiny-forge', name)),
          Math.max(...all.map((one) => one.peakMiB)).toFixed(0),
          String(all.length),
        ];
      });
    const widths = head.map((title, i) => Math.max(title.length, ...rows.map((row) => (row[i] as string).length)));
    terminal.print(`\n${step} of set ${this.#set}${this.#disk.isFresh ? '' : ' (no fresh disk)'}`);
    for (const row of [head, ...rows])
      terminal.print(
        row
          .map((cell, i) => (i === 0 ? cell.padEnd(widths[i] as number) : cell.padStart(widths[i] as number)))
          .join('  '),
      );
    for (const aim of aims.filter((one) => one.set === this.#set && one.step === step)) {
      const found = ratio('tiny-forge', aim.rival);
      if (found !== undefined)
        terminal.print(
          `aim: at most ${aim.atMost} of ${aim.rival}: ${found.toFixed(2)}, ${found <= aim.atMost ? 'reached' : 'missed'}`,
        );
    }
    const peak = Math.max(0, ...runs('tiny-forge').map((one) => one.peakMiB));
    if (peak > 0)
      terminal.print(
        `aim: at most ${maxPeakMiB} MiB: ${peak.toFixed(0)}, ${peak <= maxPeakMiB ? 'reached' : 'missed'}`,
      );
  }

  #shell(command: string): string {
    return execFileSync('bash', ['-euo', 'pipefail', '-c', command], {
      env: this.#env,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  }
}
