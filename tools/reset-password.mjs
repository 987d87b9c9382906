import { enter } from './bootstrap.mjs';

await enter('tools/reset-password.ts', {
  failed: 'reset-password did not start',
  again: 'npm run admin:reset-password',
});
