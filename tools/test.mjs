import { enter } from './bootstrap.mjs';

await enter('tools/check.ts', { failed: 'The tests did not start', again: 'npm test' });
