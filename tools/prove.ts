import { runProve } from './src/prove.ts';

process.exit(await runProve(process.argv.slice(2)));
