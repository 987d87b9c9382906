import { randomBytes } from 'node:crypto';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { ForgeError, LABELS } from '@tiny-forge/contracts/domain';
import { archiveStream, buildTinyImage, busyboxFiles, type DockerPort } from '@tiny-forge/docker';

export interface ProbeOptions {
  readonly docker: DockerPort;
  readonly dataDir: string;
  readonly installation: string;
  readonly dockerHost: string | null;
  readonly signal: AbortSignal;
  /** A static busybox; default: the first found on this machine. */
  readonly busybox?: string | undefined;
}

const IMAGE = 'tiny-forge-probe:1';
const WAIT_MS = 60_000;

/**
 * Proves that daemon and server see the same files: a random token in `<dataDir>/probe`, read back through a bind mount by a container of a tiny
 * image of ours.
 * @throws ForgeError DOCKER_NOT_ON_THIS_HOST, DOCKER_AWAY
 */
export async function probeDocker(options: ProbeOptions): Promise<void> {
  const { docker, signal } = options;
  const folder = path.join(options.dataDir, 'probe');
  const token = randomBytes(16).toString('hex');
  const file = path.join(folder, token);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await writeFile(file, token);
  await removeProbes(options);
  let id: string | null = null;
  try {
    const image = await probeImage(options);
    const created = await docker.createContainer(
      {
        name: `tiny-forge-probe-${token.slice(0, 8)}`,
        image,
        env: {},
        command: ['cat', `/probe/${token}`],
        labels: { [LABELS.installation]: options.installation, [LABELS.role]: 'probe' },
        mounts: [{ source: folder, target: '/probe', readOnly: true }],
        ports: [],
        restartPolicy: 'no',
        stopTimeoutSeconds: 1,
        network: 'none',
      },
      signal,
    );
    id = created.id;
    await docker.startContainer(id, signal);
    const ended = await docker.waitContainer(id, AbortSignal.any([signal, AbortSignal.timeout(WAIT_MS)]));
    const read = (await docker.logs(id, 5, signal))?.trim() ?? '';
    if (read !== token)
      throw elsewhere(options, `a file of ${folder} reads differently (exit ${ended?.exitCode ?? '?'})`);
  } catch (error) {
    const code = (error as { code?: unknown }).code;
    if (code === 'DOCKER_AWAY' || code === 'DOCKER_NOT_ON_THIS_HOST' || code === 'CANCELLED') throw error;
    // A mount source that the daemon does not have is refused at create or start.
    throw elsewhere(options, error instanceof Error ? error.message : String(error), error);
  } finally {
    if (id !== null) await docker.removeContainer(id, { force: true }).catch(() => undefined);
    await rm(file, { force: true });
  }
}

/** What a killed probe left. */
async function removeProbes({ docker, installation, signal }: ProbeOptions): Promise<void> {
  const left = await docker.listContainers({ [LABELS.installation]: installation, [LABELS.role]: 'probe' }, signal);
  for (const container of left) await docker.removeContainer(container.id, { force: true }, signal);
}

async function probeImage({ docker, busybox, signal }: ProbeOptions): Promise<string> {
  const found = await docker.inspectImage(IMAGE, signal);
  if (found) return found.id;
  const archive = await buildTinyImage({ tag: IMAGE, files: await busyboxFiles(['cat'], busybox) });
  await docker.loadImage(archiveStream(archive), signal);
  const loaded = await docker.inspectImage(IMAGE, signal);
  if (!loaded) throw new Error(`the image ${IMAGE} is not there after it was loaded`);
  return loaded.id;
}

const elsewhere = (options: ProbeOptions, why: string, cause?: unknown): ForgeError =>
  new ForgeError({
    code: 'DOCKER_NOT_ON_THIS_HOST',
    params: { dockerHost: options.dockerHost ?? 'the default socket', why },
    ...(cause === undefined ? {} : { cause }),
  });
