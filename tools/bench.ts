import { runArchiveBench } from './bench/archive-bench.ts';
import { runDowntimeBench } from './bench/downtime-bench.ts';
import { reportFailure } from './src/terminal.ts';

const BENCHES: Readonly<Record<string, (args: string[]) => Promise<number>>> = {
  archive: runArchiveBench,
  downtime: runDowntimeBench,
};

const [name = '', ...args] = process.argv.slice(2);
const bench = BENCHES[name];
if (bench === undefined) {
  process.stderr.write('Usage: npm run bench -- archive|downtime [--help]\n');
  process.exit(64);
}
try {
  process.exitCode = await bench(args);
} catch (error) {
  reportFailure('The benchmark stopped', error, `npm run bench -- ${name}`);
  process.exitCode = 1;
}
