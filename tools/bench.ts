import { runArchiveBench } from './bench/archive-bench.ts';
import { reportFailure } from './src/terminal.ts';

const [name, ...args] = process.argv.slice(2);
if (name !== 'archive') {
  process.stderr.write('Usage: npm run bench -- archive [--help]\n');
  process.exit(64);
}
try {
  process.exitCode = await runArchiveBench(args);
} catch (error) {
  reportFailure('The benchmark stopped', error, 'npm run bench -- archive');
  process.exitCode = 1;
}
