import { measureDowntime } from './bench/downtime-inside.ts';

process.exit(await measureDowntime(process.argv.slice(2)));
