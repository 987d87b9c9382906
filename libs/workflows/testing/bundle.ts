import { fileURLToPath } from 'node:url';
import {
  bundleWorkflowCode,
  DefaultLogger,
  type BundleOptions,
  type WorkflowBundleWithSourceMap,
} from '@temporalio/worker';

type WebpackHook = NonNullable<BundleOptions['webpackConfigHook']>;
export type WebpackConfig = Parameters<WebpackHook>[0];

/** Bundles this package's workflows from source. @param change alters the bundle, as the mutation test does */
export function bundleWorkflows(
  change: (config: WebpackConfig) => WebpackConfig = (config) => config,
): Promise<WorkflowBundleWithSourceMap> {
  return bundleWorkflowCode({
    workflowsPath: fileURLToPath(new URL('../src/workflows.ts', import.meta.url)),
    logger: new DefaultLogger('ERROR'),
    webpackConfigHook: (config) =>
      change({
        ...config,
        resolve: { ...config.resolve, conditionNames: ['tiny-forge-source', '...'] },
      }),
  });
}
