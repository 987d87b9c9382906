import root from '../../eslint.config.mjs';

export default [
  ...root,
  {
    files: ['**/*.svelte', '**/*.svelte.ts', '**/*.ts'],
    rules: {
      // The server serves this app at `/`; there is no base path that `resolve()` could add.
      'svelte/no-navigation-without-resolve': 'off',
      // `{' '}` keeps the space that Svelte trims at the edge of a block.
      'svelte/no-useless-mustaches': 'off',
      // Collections here are replaced as a whole (`$state.raw`) or plainly not shown.
      'svelte/prefer-svelte-reactivity': 'off',
    },
  },
];
