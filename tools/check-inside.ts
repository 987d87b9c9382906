import { runCheckInside } from './src/check-inside.ts';

process.exit(await runCheckInside(process.argv.slice(2)));
