import { enter } from './bootstrap.mjs';

await enter('tools/prove.ts', { failed: 'The proofs did not start', again: 'npm run prove' });
