import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.dirname(fileURLToPath(import.meta.url));

/** One Jest configuration for every project; `reports/jest.json` is what `.ci/run` counts from. */
export function projectPreset(name, extra = {}) {
  return {
    displayName: name,
    testEnvironment: 'node',
    testTimeout: 30_000,
    roots: ['<rootDir>/src'],
    testMatch: ['**/*.spec.ts'],
    extensionsToTreatAsEsm: ['.ts'],
    testEnvironmentOptions: { customExportConditions: ['tiny-forge-source', 'node', 'node-addons'] },
    reporters: ['default', [path.join(root, 'tools', 'jest-report.mjs'), { project: name }]],
    transform: {
      '^.+\\.ts$': [
        '@swc/jest',
        {
          swcrc: false,
          sourceMaps: 'inline',
          module: { type: 'es6' },
          jsc: {
            target: 'es2023',
            keepClassNames: true,
            parser: { syntax: 'typescript', decorators: true },
            transform: { legacyDecorator: true, decoratorMetadata: true },
          },
        },
      ],
    },
    ...extra,
  };
}
