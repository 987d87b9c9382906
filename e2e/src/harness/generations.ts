import crypto from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';

/**
 * Replaces what a folder holds; the folder itself stays, because containers have it mounted. Every file of a generation begins
 * with its token, so that a mixture shows whichever file one looks at.
 */
export function writeGeneration(folder: string, token: string, { files = 12, bytesPerFile = 2_000 } = {}): void {
  fs.mkdirSync(folder, { recursive: true });
  for (const name of fs.readdirSync(folder)) fs.rmSync(path.join(folder, name), { recursive: true });
  fs.mkdirSync(path.join(folder, 'deep', 'er'), { recursive: true });
  fs.writeFileSync(path.join(folder, 'token'), `${token}\n`);
  for (let i = 0; i < files; i++) {
    const place = path.join(folder, ['', 'deep', 'deep/er'][i % 3] ?? '', `${token}-${i}.txt`);
    fs.writeFileSync(place, Buffer.concat([Buffer.from(`${token}\n`), crypto.randomBytes(bytesPerFile)]), {
      mode: [0o644, 0o600, 0o755][i % 3],
    });
  }
}

/** The tokens that the files of a folder carry; `ABSENT` for no folder, `EMPTY` for one without a file. */
export function generationsIn(folder: string): string[] {
  if (!fs.existsSync(folder)) return ['ABSENT'];
  const tokens = new Set<string>();
  for (const entry of fs.readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const handle = fs.openSync(path.join(entry.parentPath, entry.name), 'r');
    const head = Buffer.alloc(64);
    const read = fs.readSync(handle, head, 0, head.length, 0);
    fs.closeSync(handle);
    tokens.add(head.toString('latin1', 0, read).split('\n')[0] || '(none)');
  }
  return tokens.size === 0 ? ['EMPTY'] : [...tokens].sort();
}

/**
 * Content, names, modes, owners and times (to the microsecond, as archives are restored) of a tree: equal digests mean restored content equals
 * captured content (I9).
 * @param unread names of files whose content is not read
 */
export function treeDigest(folder: string, unread: ReadonlySet<string> = new Set()): string {
  const hash = crypto.createHash('sha256');
  const visit = (place: string, name: string): void => {
    const stat = fs.lstatSync(place, { bigint: true });
    hash.update(`${name}\0${stat.mode}\0${stat.uid}:${stat.gid}\0`);
    if (stat.isSymbolicLink()) hash.update(fs.readlinkSync(place));
    else if (stat.isFile()) {
      hash.update(`${stat.mtimeNs / 1000n}\0`);
      if (!unread.has(path.basename(place))) hash.update(fs.readFileSync(place));
    } else if (stat.isDirectory()) {
      for (const child of fs.readdirSync(place).sort()) visit(path.join(place, child), `${name}/${child}`);
    }
  };
  visit(folder, '.');
  return hash.digest('hex');
}

const OWN_NAMES = /\.restore-|^\.trash-|^\.tiny-forge-probe-/;

/** Names of ours that lie in folders beside live directories. */
export function leftovers(parents: readonly string[]): string[] {
  return [...new Set(parents)].flatMap((parent) =>
    fs.existsSync(parent)
      ? fs
          .readdirSync(parent)
          .filter((name) => OWN_NAMES.test(name))
          .map((name) => path.join(parent, name))
      : [],
  );
}
