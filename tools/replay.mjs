import { enter } from './bootstrap.mjs';

await enter('tools/replay.ts', { failed: 'replay did not start', again: 'npm run replay' });
