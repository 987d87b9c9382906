import { projectPreset } from '../../jest.preset.mjs';

const swc = [
  '@swc/jest',
  {
    swcrc: false,
    sourceMaps: 'inline',
    module: { type: 'es6' },
    jsc: { target: 'es2023', keepClassNames: true, parser: { syntax: 'typescript' } },
  },
];

export default projectPreset('web', {
  roots: ['<rootDir>/src', '<rootDir>/static'],
  testEnvironment: 'jest-environment-jsdom',
  testEnvironmentOptions: {
    customExportConditions: ['tiny-forge-source', 'svelte', 'browser'],
    url: 'http://localhost/',
  },
  setupFiles: ['<rootDir>/src/testing/setup.ts'],
  extensionsToTreatAsEsm: ['.ts', '.svelte'],
  moduleFileExtensions: ['ts', 'js', 'mjs', 'svelte', 'json'],
  moduleNameMapper: {
    '^\\$app/navigation$': '<rootDir>/src/testing/app-navigation.ts',
    '^\\$app/state$': '<rootDir>/src/testing/app-state.ts',
  },
  transformIgnorePatterns: ['/node_modules/(?!.*\\.svelte(\\.js)?$)'],
  transform: {
    '\\.svelte(\\.[jt]s)?$': '<rootDir>/jest-svelte.mjs',
    '(?<!\\.svelte)\\.ts$': swc,
  },
});
