import { runProveInside } from './src/prove-inside.ts';

process.exit(await runProveInside(process.argv.slice(2)));
