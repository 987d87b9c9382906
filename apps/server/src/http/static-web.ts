import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import fastifyStatic from '@fastify/static';
import type { FastifyInstance } from 'fastify';

/** The built web app, or that there is none. */
export interface WebApp {
  readonly root: string;
  readonly indexHtml: string;
}

export function findWebApp(root: string): WebApp | null {
  const index = path.join(root, 'index.html');
  return existsSync(index) ? { root, indexHtml: readFileSync(index, 'utf8') } : null;
}

const IMMUTABLE = /[\\/]_app[\\/]immutable[\\/]/;

/** Serves the files; which addresses get the page instead is `isPage`'s to say. */
export async function registerWebApp(fastify: FastifyInstance, app: WebApp): Promise<void> {
  await fastify.register(fastifyStatic, {
    root: app.root,
    wildcard: false,
    index: 'index.html',
    dotfiles: 'ignore',
    cacheControl: false,
    setHeaders: (reply, file) => {
      reply.header('cache-control', IMMUTABLE.test(file) ? 'public, max-age=31536000, immutable' : 'no-cache');
    },
  });
}

/** An address of the single-page app: not the API, not a file. */
export function isPage(method: string, url: string): boolean {
  if (method !== 'GET' && method !== 'HEAD') return false;
  const pathname = url.split('?')[0] ?? '';
  if (/^\/(?:api|_app)(?:\/|$)/.test(pathname)) return false;
  return !/\.[A-Za-z0-9]{1,8}$/.test(pathname);
}
