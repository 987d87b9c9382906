import { runArchiveCommand } from './src/command/run-archive-command.ts';

// Who reads our output may stop at any time (`| head`).
process.stdout.on('error', () => process.exit(74));

process.exitCode = await runArchiveCommand(process.argv.slice(2));
