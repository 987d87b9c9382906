import { runUp } from './src/up.ts';

process.exit(await runUp(process.argv.slice(2)));
