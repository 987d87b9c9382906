import { expect, test } from '@jest/globals';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';

// The example of docs/writing-a-plugin.md, run as it stands: its blocks are written to files and its spec is loaded into this suite.

const here = import.meta.dirname;
const page = await readFile(path.join(here, '../../../docs/writing-a-plugin.md'), 'utf8');
const blocks = [...page.matchAll(/^```ts (\S+)\n(.*?)^```$/gms)].map(([, name = '', code = '']) => ({ name, code }));
const directory = path.join(here, '../reports/writing-a-plugin');
await mkdir(directory, { recursive: true });
for (const { name, code } of blocks) await writeFile(path.join(directory, name), code);

test('the page has a plugin and its spec', () => {
  expect(blocks.map(({ name }) => name)).toEqual(['shared-folder-scope.ts', 'shared-folder-scope.spec.ts']);
});

await import(path.join(directory, 'shared-folder-scope.spec.ts'));
