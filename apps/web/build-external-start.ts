import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import type { Adapter } from '@sveltejs/kit';

const INLINE = /<script>([\s\S]*?)<\/script>/g;

/**
 * Moves the inline start script of the built page into a file, so that the server can send `script-src 'self'` without a hash
 * that would change with each build. Throws when the page has no such script or keeps another inline one.
 */
export function externalStart(inner: Adapter): Adapter {
  return {
    ...inner,
    name: `${inner.name}, start script external`,
    async adapt(builder) {
      await inner.adapt(builder);
      const page = path.join('build', 'index.html');
      const html = fs.readFileSync(page, 'utf8');
      const scripts = [...html.matchAll(INLINE)];
      const source = scripts[0]?.[1];
      if (scripts.length !== 1 || source === undefined)
        throw new Error(`expected one inline script in ${page}, found ${String(scripts.length)}`);
      const name = `_app/immutable/entry/page.${createHash('sha256').update(source).digest('hex').slice(0, 12)}.js`;
      fs.writeFileSync(path.join('build', name), source);
      fs.writeFileSync(page, html.replace(INLINE, `<script src="/${name}"></script>`));
    },
  };
}
