import { fileURLToPath } from 'node:url';
import type { WebpackConfig } from './bundle.ts';

const LOADER = fileURLToPath(new URL('rename-activity-loader.cjs', import.meta.url));

/** The mutation that replay must catch: one activity gets another name in the bundled source. */
export function renameActivity(from: string, to: string): (config: WebpackConfig) => WebpackConfig {
  return (config) => ({
    ...config,
    module: {
      ...config.module,
      rules: [
        ...(config.module?.rules ?? []),
        {
          test: /(activity-options|lane\.workflow)\.ts$/,
          enforce: 'pre',
          use: [{ loader: LOADER, options: { from, to } }],
        },
      ],
    },
  });
}
