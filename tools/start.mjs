import { enter } from './bootstrap.mjs';

await enter('tools/up.ts', { failed: 'Tiny Forge did not start', again: 'npm start' });
