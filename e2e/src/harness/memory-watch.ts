import fs from 'node:fs';

const MIB = 1024 * 1024;

interface Sample {
  readonly sumMib: number;
  readonly largestMib: number;
}

/** Resident memory of a process and all its descendants, sampled until `stop`. */
export class MemoryWatch {
  readonly samples: Sample[] = [];
  readonly #timer: NodeJS.Timeout;

  constructor(rootPid: number, intervalMs = 50) {
    this.#timer = setInterval(() => this.samples.push(sampleOf(rootPid)), intervalMs);
  }

  stop(): { readonly peakSumMib: number; readonly peakProcessMib: number; readonly medianMib: number } {
    clearInterval(this.#timer);
    const sums = this.samples.map((sample) => sample.sumMib).sort((a, b) => a - b);
    return {
      peakSumMib: sums.at(-1) ?? 0,
      peakProcessMib: Math.max(...this.samples.map((sample) => sample.largestMib)),
      medianMib: sums[Math.floor(sums.length / 2)] ?? 0,
    };
  }
}

function sampleOf(rootPid: number): Sample {
  const parents = new Map<number, number>();
  for (const name of fs.readdirSync('/proc')) {
    const pid = Number(name);
    if (!Number.isInteger(pid)) continue;
    const stat = read(`/proc/${pid}/stat`);
    parents.set(pid, Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]));
  }
  const isOurs = (pid: number): boolean => {
    for (let each: number | undefined = pid; each !== undefined && each > 0; each = parents.get(each)) {
      if (each === rootPid) return true;
    }
    return false;
  };
  const sizes = [...parents.keys()].filter(isOurs).map(residentMib);
  return { sumMib: sizes.reduce((sum, size) => sum + size, 0), largestMib: Math.max(0, ...sizes) };
}

function residentMib(pid: number): number {
  const line = /^VmRSS:\s+(\d+) kB$/m.exec(read(`/proc/${pid}/status`));
  return (Number(line?.[1] ?? 0) * 1024) / MIB;
}

function read(file: string): string {
  try {
    return fs.readFileSync(file, 'utf8');
  } catch {
    // The process ended between the listing and the look.
    return '';
  }
}
