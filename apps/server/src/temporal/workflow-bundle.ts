import { createHash } from 'node:crypto';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundleWorkflowCode, DefaultLogger } from '@temporalio/worker';

/** Head of a stored bundle: it must never run with another SDK than it was made with. No line of its own: the source map counts lines. */
const stamp = (): string => `/* tiny-forge workflow bundle, SDK ${sdkVersion()} */ `;

const sdkVersion = (): string =>
  (createRequire(import.meta.url)('@temporalio/worker/package.json') as { version: string }).version;

/** Where the build leaves the bundle: `dist/workflow-bundle.js`. */
export const prebuiltBundle = (): string => fileURLToPath(new URL('../workflow-bundle.js', import.meta.url));

/** The workflow code as one script; from source or from `dist`, whichever this process itself runs from. */
export async function bundleWorkflows(): Promise<string> {
  const workflowsPath = fileURLToPath(import.meta.resolve('@tiny-forge/workflows/workflows'));
  const { code } = await bundleWorkflowCode({
    workflowsPath,
    logger: new DefaultLogger('ERROR'),
    webpackConfigHook: (config) =>
      workflowsPath.endsWith('.ts')
        ? { ...config, resolve: { ...config.resolve, conditionNames: ['tiny-forge-source', '...'] } }
        : config,
  });
  return `${stamp()}${code}`;
}

export async function writeBundle(file: string): Promise<void> {
  const code = await bundleWorkflows();
  await mkdir(path.dirname(file), { recursive: true });
  const partial = `${file}.${process.pid}-${createHash('sha256').update(code).digest('hex').slice(0, 8)}`;
  await writeFile(partial, code);
  await rename(partial, file);
}

/** The prebuilt bundle where it fits this SDK, else one made now (about a second). */
export async function loadBundle(file = prebuiltBundle()): Promise<{ readonly code: string }> {
  try {
    const code = await readFile(file, 'utf8');
    if (code.startsWith(stamp())) return { code };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  return { code: await bundleWorkflows() };
}
