import adapter from '@sveltejs/adapter-static';
import { sveltekit } from '@sveltejs/kit/vite';
import { defineConfig } from 'vite';
import { externalStart } from './build-external-start.ts';
import { strictStyles } from './build-strict-styles.ts';

/** The contracts are read as source, as in every other room; no build of theirs comes first. */
const conditions = ['tiny-forge-source', 'svelte', 'browser', 'module', 'development|production'];

export default defineConfig({
  plugins: [strictStyles(), sveltekit({ adapter: externalStart(adapter({ pages: 'build', fallback: 'index.html' })) })],
  resolve: { conditions },
  build: { target: 'es2022' },
});
