import { runServerCommand } from './src/run-command.ts';

process.exit(await runServerCommand('recover', process.argv.slice(2)));
