import { runServerCommand } from './src/run-command.ts';

process.exit(await runServerCommand('reset-password', process.argv.slice(2)));
