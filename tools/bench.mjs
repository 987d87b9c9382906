import { enter } from './bootstrap.mjs';

await enter('tools/bench.ts', { failed: 'The benchmark did not start', again: 'npm run bench -- archive' });
