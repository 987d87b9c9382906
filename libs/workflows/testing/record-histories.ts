import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundleWorkflows } from './bundle.ts';
import { Lab } from './lab.ts';
import { SCENARIOS } from './scenarios.ts';
import { startTemporal } from './temporal-dev-server.ts';

export const HISTORIES = fileURLToPath(new URL('../histories', import.meta.url));

/**
 * Records every scenario from a real server into `histories/<version>/<scenario>.json`. A version that was released is never recorded anew: its
 * histories are what today's code must still replay (I12).
 * @param names scenarios to add; none: the whole folder is made anew
 */
async function record(version: string, names: readonly string[]): Promise<void> {
  const folder = path.join(HISTORIES, version);
  if (names.length === 0) await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  const bundle = await bundleWorkflows();
  const env = await startTemporal();
  try {
    for (const scenario of SCENARIOS.filter(({ name }) => names.length === 0 || names.includes(name))) {
      const lab = new Lab(env);
      await lab.start(bundle);
      try {
        const ids = await scenario.run(lab);
        for (const [index, id] of ids.entries()) {
          const name = index === 0 ? scenario.name : `${scenario.name}-${index + 1}`;
          await writeFile(path.join(folder, `${name}.json`), scrubbed(await lab.history(id)));
          console.log(`recorded ${version}/${name}`);
        }
      } finally {
        await lab.stop();
      }
    }
  } finally {
    await env.teardown();
  }
  console.log(`${(await readdir(folder)).length} histories in ${folder}`);
}

/** Without the names of the machine it was recorded on; nothing of this decides about determinism. */
function scrubbed(history: string): string {
  const replaced = JSON.parse(history, (key, value: unknown) => {
    if (key === 'identity' || key === 'originalExecutionRunIdentity') return 'recorder';
    if (key === 'stackTrace') return '';
    return value;
  }) as unknown;
  return `${JSON.stringify(replaced).replaceAll(`${process.pid}@${hostname()}`, 'recorder')}\n`;
}

await record(process.argv[2] ?? '0.1.0', process.argv.slice(3));
process.exit(0);
