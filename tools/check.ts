import { runCheck } from './src/check.ts';

process.exit(await runCheck(process.argv.slice(2)));
