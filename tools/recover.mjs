import { enter } from './bootstrap.mjs';

await enter('tools/recover.ts', { failed: 'recover did not start', again: 'npm run recover' });
