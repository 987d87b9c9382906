import type { ByteString } from './byte-string.ts';

const maxHops = 40;

/**
 * Whether symlinks of a tree stay inside it: resolved over the links of the tree itself, intermediate ones included; never
 * over the disk (CVE-2025-4517 class).
 */
export class ContainedLinks {
  #links = new Map<ByteString, ByteString>();
  #bytes = 0;

  /** Bytes of paths and targets that are held. */
  get bytes(): number {
    return this.#bytes;
  }

  add(path: ByteString, target: ByteString): void {
    this.#links.set(path, target);
    this.#bytes += path.length + target.length;
  }

  /** The links that leave the first `rootDepth` components of their own path. */
  *escaping(rootDepth: number): Generator<ByteString, void, void> {
    for (const [path, target] of this.#links) if (!this.#staysInside(path, target, rootDepth)) yield path;
  }

  #staysInside(path: ByteString, target: ByteString, rootDepth: number): boolean {
    const done = path.split('/').slice(0, -1);
    if (target.startsWith('/')) return false;
    const todo = target.split('/').reverse();
    let hops = 0;
    while (todo.length > 0) {
      const part = todo.pop() as string;
      if (part === '' || part === '.') continue;
      if (part === '..') {
        if (done.length === rootDepth) return false;
        done.pop();
        continue;
      }
      const next = this.#links.get([...done, part].join('/'));
      if (next === undefined) {
        done.push(part);
        continue;
      }
      if (++hops > maxHops || next.startsWith('/')) return false;
      todo.push(...next.split('/').reverse());
    }
    return true;
  }
}
