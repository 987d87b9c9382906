import { install } from './bootstrap.mjs';

await install({ failed: 'Nothing was installed', again: 'node tools/install.mjs' });
