import type { Plugin } from 'vite';

const ROOT = /kit\/src\/runtime\/components\/root\.svelte$/;

/**
 * SvelteKit hides its route announcer with a `style` attribute, which `style-src 'self'` forbids. `app.css` hides it instead.
 * Throws when the attribute is no longer where it was, so that an upgrade cannot bring it back unseen.
 */
export function strictStyles(): Plugin {
  let seen = false;
  return {
    name: 'tiny-forge-strict-styles',
    enforce: 'pre',
    transform(code, id) {
      if (!ROOT.test(id.split('?')[0] ?? '')) return undefined;
      const stripped = code.replace(/(id="svelte-announcer"[^>]*?)\s+style="[^"]*"/, '$1');
      if (stripped === code) throw new Error(`no style attribute on the announcer in ${id}`);
      seen = true;
      return { code: stripped, map: null };
    },
    buildEnd(error) {
      if (error === undefined && !seen && this.environment.name === 'client')
        this.error('the announcer of SvelteKit was not met');
    },
  };
}
