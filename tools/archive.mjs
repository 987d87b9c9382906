import { enter } from './bootstrap.mjs';

// The bootstrap goes to the root of the checkout, and so does npm; files are named as seen from where the person stood.
const byNpm = process.env.npm_lifecycle_event === 'archive' && process.env.INIT_CWD;
process.env.ARCHIVE_COMMAND_CWD = byNpm || process.cwd();
await enter('libs/archive-safe/archive.ts', { failed: 'archive did not start', again: 'npm run archive' });
