import path from 'node:path';
import { runUp } from '../src/up.ts';

process.exit(
  await runUp(process.argv.slice(2), {
    serverEntry: path.join(import.meta.dirname, 'fake-server.mjs'),
    build: async () => undefined,
  }),
);
