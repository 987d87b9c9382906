import fs from 'node:fs';
import path from 'node:path';

/** One project of the monorepo. */
export interface Project {
  readonly name: string;
  /** Below the checkout, for example `libs/docker`. */
  readonly folder: string;
  readonly scripts: ReadonlySet<string>;
}

/** All projects, from the workspaces of the root package.json, in order of their folders. */
export function listProjects(root: string): Project[] {
  const { workspaces } = readManifest(root) as { workspaces: string[] };
  return workspaces
    .flatMap((pattern) => (pattern.endsWith('/*') ? childrenOf(root, pattern.slice(0, -2)) : [pattern]))
    .filter((folder) => fs.existsSync(path.join(root, folder, 'package.json')))
    .map((folder) => {
      const { name, scripts = {} } = readManifest(path.join(root, folder)) as {
        name: string;
        scripts?: Record<string, string>;
      };
      return { name, folder, scripts: new Set(Object.keys(scripts)) };
    })
    .sort((a, b) => (a.folder < b.folder ? -1 : 1));
}

const readManifest = (folder: string): unknown =>
  JSON.parse(fs.readFileSync(path.join(folder, 'package.json'), 'utf8'));

function childrenOf(root: string, folder: string): string[] {
  const place = path.join(root, folder);
  return fs.existsSync(place) ? fs.readdirSync(place).map((name) => path.join(folder, name)) : [];
}
