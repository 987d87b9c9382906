import { runServerCommand } from './src/run-command.ts';

process.exit(await runServerCommand('replay', process.argv.slice(2)));
