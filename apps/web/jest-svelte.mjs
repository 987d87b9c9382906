import { createHash } from 'node:crypto';
import fs from 'node:fs';
import { transformSync } from '@swc/core';
import { compile, compileModule, VERSION } from 'svelte/compiler';

const own = fs.readFileSync(new URL(import.meta.url), 'utf8');

/** Components as the browser gets them; runes in `.svelte.ts` need their types stripped first. */
function toJavaScript(source, filename) {
  if (filename.endsWith('.svelte')) {
    return compile(source, { filename, generate: 'client', css: 'external', dev: false }).js;
  }
  const plain = filename.endsWith('.ts')
    ? transformSync(source, {
        filename,
        swcrc: false,
        module: { type: 'es6' },
        jsc: { target: 'esnext', parser: { syntax: 'typescript' } },
      }).code
    : source;
  return compileModule(plain, { filename, generate: 'client', dev: false }).js;
}

export default {
  canInstrument: false,
  process: (source, filename) => ({ code: toJavaScript(source, filename).code }),
  processAsync: async (source, filename) => ({ code: toJavaScript(source, filename).code }),
  getCacheKey: (source, filename, { configString }) =>
    createHash('sha256').update([VERSION, own, configString, filename, source].join('\0')).digest('hex'),
};
