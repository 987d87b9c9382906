import { createHash } from 'node:crypto';
import { open, readFile } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { ForgeError } from '@tiny-forge/contracts/domain';
import { writeUstar, type UstarEntry } from './ustar.ts';

export interface TinyImageFile {
  /** Path in the image without leading slash; missing parents are made, 0755. */
  readonly path: string;
  /** Default 0644. */
  readonly mode?: number;
  readonly content:
    Buffer | string | { readonly hostFile: string } | { readonly linkTo: string } | { readonly directory: true };
}

export interface TinyImageSpec {
  /** `name:tag`. */
  readonly tag: string;
  readonly files: readonly TinyImageFile[];
  readonly entrypoint?: readonly string[];
  readonly cmd?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly workingDir?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly stopSignal?: string;
  /** Docker's own health check, times in seconds. */
  readonly healthcheck?: {
    readonly test: readonly string[];
    readonly intervalSeconds: number;
    readonly retries: number;
  };
}

const ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64' };

/**
 * Assembles an image of one layer in the docker-archive format, for `DockerPort.loadImage`. Deterministic: the same spec gives the same bytes,
 * hence the same image id. Needs no registry and no builder.
 */
export async function buildTinyImage(spec: TinyImageSpec): Promise<Buffer> {
  const layer = writeUstar(await layerEntries(spec.files));
  const config = Buffer.from(
    JSON.stringify({
      architecture: ARCHITECTURES[process.arch] ?? process.arch,
      os: 'linux',
      created: '1970-01-01T00:00:00Z',
      config: {
        Env: [
          'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
          ...Object.entries(spec.env ?? {}).map(([name, value]) => `${name}=${value}`),
        ],
        Entrypoint: spec.entrypoint ?? null,
        Cmd: spec.cmd ?? null,
        WorkingDir: spec.workingDir ?? '/',
        Labels: spec.labels ?? {},
        ...(spec.stopSignal !== undefined && { StopSignal: spec.stopSignal }),
        ...(spec.healthcheck && {
          Healthcheck: {
            Test: spec.healthcheck.test,
            Interval: spec.healthcheck.intervalSeconds * 1e9,
            Timeout: 5e9,
            Retries: spec.healthcheck.retries,
          },
        }),
      },
      rootfs: { type: 'layers', diff_ids: [`sha256:${sha256(layer)}`] },
      history: [{ created: '1970-01-01T00:00:00Z', created_by: 'tiny-forge' }],
    }),
  );
  const configName = `${sha256(config)}.json`;
  const layerName = `${sha256(layer)}/layer.tar`;
  const manifest = Buffer.from(JSON.stringify([{ Config: configName, RepoTags: [spec.tag], Layers: [layerName] }]));
  return writeUstar([
    { path: configName, mode: 0o644, type: 'file', content: config },
    { path: `${sha256(layer)}`, mode: 0o755, type: 'directory' },
    { path: layerName, mode: 0o644, type: 'file', content: layer },
    { path: 'manifest.json', mode: 0o644, type: 'file', content: manifest },
  ]);
}

/** Stream of an archive for `DockerPort.loadImage`. */
export const archiveStream = (archive: Buffer): Readable => Readable.from([archive], { objectMode: false });

const BUSYBOX_PLACES = ['/bin/busybox', '/usr/bin/busybox', '/bin/busybox.static', '/usr/local/bin/busybox'];

/**
 * Files of a small userland: a static busybox and one symlink an applet.
 * @param busybox the one to take, and no other; undefined: the first static one where distributions put it
 * @throws ForgeError DEPLOY_FAILED naming where no statically linked busybox was found
 */
export async function busyboxFiles(applets: readonly string[] = ['sh'], busybox?: string): Promise<TinyImageFile[]> {
  const places = busybox === undefined ? BUSYBOX_PLACES : [busybox];
  return [
    { path: 'bin/busybox', mode: 0o755, content: { hostFile: await firstStatic(places) } },
    ...applets.map((applet): TinyImageFile => ({ path: `bin/${applet}`, mode: 0o777, content: { linkTo: 'busybox' } })),
    { path: 'tmp', mode: 0o1777, content: { directory: true } },
  ];
}

async function firstStatic(places: readonly string[]): Promise<string> {
  for (const place of places) {
    if (await isStaticElf(place)) return place;
  }
  throw new ForgeError({
    code: 'DEPLOY_FAILED',
    retryable: false,
    params: {
      why: `no statically linked busybox at ${places.join(', ')} (Debian: apt-get install busybox-static)`,
    },
  });
}

/** A dynamically linked file would start in an empty image with "no such file": its loader is missing. ELF64 little-endian only. */
async function isStaticElf(path: string): Promise<boolean> {
  const PT_INTERP = 3;
  const file = await open(path).catch(() => null);
  if (file === null) return false;
  try {
    const head = Buffer.alloc(4096);
    const { bytesRead } = await file.read(head, 0, head.length, 0);
    if (bytesRead < 64 || head.readUInt32BE(0) !== 0x7f454c46 || head[4] !== 2 || head[5] !== 1) return false;
    const offset = Number(head.readBigUInt64LE(32));
    const size = head.readUInt16LE(54);
    const count = head.readUInt16LE(56);
    if (offset + size * count > bytesRead) return false;
    return Array.from({ length: count }, (_, index) => head.readUInt32LE(offset + index * size)).every(
      (type) => type !== PT_INTERP,
    );
  } finally {
    await file.close();
  }
}

async function layerEntries(files: readonly TinyImageFile[]): Promise<UstarEntry[]> {
  const entries = new Map<string, UstarEntry>();
  for (const file of files) {
    const parts = file.path.split('/');
    for (let depth = 1; depth < parts.length; depth += 1) {
      const path = parts.slice(0, depth).join('/');
      if (!entries.has(path)) entries.set(path, { path, mode: 0o755, type: 'directory' });
    }
    entries.set(file.path, await entryOf(file));
  }
  return [...entries.values()];
}

async function entryOf({ path, mode = 0o644, content }: TinyImageFile): Promise<UstarEntry> {
  if (typeof content === 'string' || Buffer.isBuffer(content)) {
    return { path, mode, type: 'file', content: Buffer.from(content) };
  }
  if ('directory' in content) return { path, mode, type: 'directory' };
  if ('linkTo' in content) return { path, mode, type: 'symlink', linkTarget: content.linkTo };
  return { path, mode, type: 'file', content: await readFile(content.hostFile) };
}

const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');
