import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { ForgeError, isForgeError } from '@tiny-forge/contracts/domain';
import type {
  ContainerDetail,
  ContainerSpec,
  ContainerSummary,
  DockerInfo,
  DockerPort,
  ImageDetail,
  RestartPolicy,
} from './docker-port.ts';
import { EngineConnection, type Engine, type EngineAnswer } from './engine-connection.ts';
import {
  createBody,
  detailFromInspect,
  imageFromInspect,
  summaryFromList,
  type ContainerJson,
  type ImageJson,
  type ListedContainerJson,
} from './engine-json.ts';
import { loadedImages, pullFailure, withTag } from './image-reference.ts';
import { BoundedOutput, LogFrames } from './log-frames.ts';
import { plainText } from './plain-text.ts';

const EXEC_OUTPUT_BYTES = 64 * 1024;
const LOG_BYTES = 1024 * 1024;
const KILL_GRACE_MS = 10_000;
const IMAGE_SILENCE_MS = 300_000;
/** As `timeout(1)` answers. */
const EXEC_TIMED_OUT = 124;
const UNPAUSE_ATTEMPTS = 5;
const UNPAUSE_PAUSE_MS = 100;

/**
 * Connects to an Engine; no I/O before the first call.
 * @param options.dockerHost `unix:///path`, `tcp://host:port`, or null for /var/run/docker.sock
 * @throws ForgeError SETTING_INVALID
 */
export function connectDocker(options: { readonly dockerHost: string | null }): DockerodePort {
  return new DockerodePort(new EngineConnection(options.dockerHost));
}

/** The Docker port over dockerode's modem. What an answer means is read from its status code, not from its text. */
export class DockerodePort implements DockerPort {
  readonly #engine: Engine;

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  async info(signal?: AbortSignal): Promise<DockerInfo> {
    const [info, version] = await Promise.all([
      this.#engine.call({ method: 'GET', path: '/info', signal, limitMs: 10_000 }),
      this.#engine.call({ method: 'GET', path: '/version', signal, limitMs: 10_000 }),
    ]);
    const { ID, DockerRootDir, Architecture } = parse<{ ID: string; DockerRootDir: string; Architecture: string }>(
      info,
    );
    const { Version, ApiVersion } = parse<{ Version: string; ApiVersion: string }>(version);
    return { id: ID, version: Version, apiVersion: ApiVersion, rootDir: DockerRootDir, architecture: Architecture };
  }

  async listContainers(
    labels: Readonly<Record<string, string>> = {},
    signal?: AbortSignal,
  ): Promise<ContainerSummary[]> {
    const label = Object.entries(labels).map(([name, value]) => `${name}=${value}`);
    const answer = await this.#engine.call({
      method: 'GET',
      path: '/containers/json',
      query: { all: '1', ...(label.length > 0 && { filters: JSON.stringify({ label }) }) },
      signal,
    });
    return parse<ListedContainerJson[]>(answer).map(summaryFromList);
  }

  async inspectContainer(id: string, signal?: AbortSignal): Promise<ContainerDetail | null> {
    const answer = await this.#engine.call({ method: 'GET', path: `${containerPath(id)}/json`, signal });
    return answer.status === 404 ? null : detailFromInspect(parse<ContainerJson>(answer));
  }

  async createContainer(spec: ContainerSpec, signal?: AbortSignal): Promise<{ readonly id: string }> {
    const answer = await this.#engine.call({
      method: 'POST',
      path: '/containers/create',
      query: { name: spec.name },
      body: createBody(spec),
      signal,
    });
    if (answer.status === 404) throw new ForgeError({ code: 'IMAGE_MISSING', params: { image: spec.image } });
    if (answer.status === 409) throw refused(answer, { conflict: 'name' });
    return { id: parse<{ Id: string }>(answer).Id };
  }

  async startContainer(id: string, signal?: AbortSignal): Promise<'started' | 'gone'> {
    const answer = await this.#engine.call({
      method: 'POST',
      path: `${containerPath(id)}/start`,
      signal,
      limitMs: 120_000,
    });
    if (answer.status === 204 || answer.status === 304) return 'started';
    const detail = await this.inspectContainer(id, signal);
    // 404 also stands for a missing network: only the container's own absence is `gone`.
    if (detail === null) return 'gone';
    const port = answer.status >= 500 ? takenPort(message(answer), detail) : null;
    if (port !== null) throw new ForgeError({ code: 'PORT_TAKEN', params: { port } });
    throw refused(answer);
  }

  async stopContainer(id: string, timeoutSeconds: number, signal?: AbortSignal): Promise<'stopped' | 'gone'> {
    const before = await this.inspectContainer(id, signal);
    if (before === null) return 'gone';
    if (before.state === 'paused') await this.unpauseContainer(id, signal);
    let answer: EngineAnswer | null = null;
    try {
      answer = await this.#engine.call({
        method: 'POST',
        path: `${containerPath(id)}/stop`,
        query: { t: String(timeoutSeconds) },
        signal,
        limitMs: timeoutSeconds * 1000 + KILL_GRACE_MS,
      });
      if (answer.status === 404) return 'gone';
    } catch (error) {
      // An Engine that is still trying is asked below what became of the container.
      if (!(isForgeError(error) && error.params['reason'] === 'silent')) throw error;
    }
    const after = await this.inspectContainer(id, signal);
    if (after === null) return 'gone';
    if (!isUp(after)) return 'stopped';
    if (answer !== null && answer.status < 300) {
      // The stop was carried out and something started it again.
      throw new ForgeError({ code: 'CONTAINER_APPEARED', params: { container: after.name, path: 'its volumes' } });
    }
    throw new ForgeError({ code: 'STOP_TIMEOUT', params: { container: after.name, seconds: timeoutSeconds } });
  }

  async removeContainer(
    id: string,
    options: { readonly force: boolean; readonly anonymousVolumes?: 'keep' | 'remove' },
    signal?: AbortSignal,
  ): Promise<'removed' | 'gone'> {
    for (let attempt = 1; ; attempt += 1) {
      const answer = await this.#engine.call({
        method: 'DELETE',
        path: containerPath(id),
        query: { force: options.force ? '1' : '0', v: options.anonymousVolumes === 'remove' ? '1' : '0' },
        signal,
        limitMs: 60_000,
      });
      if (answer.status === 204) return 'removed';
      if (answer.status === 404) return 'gone';
      const detail = await this.inspectContainer(id, signal);
      if (detail === null) return 'removed';
      // 409 while another removal of it runs: that one may end or give up.
      if (answer.status !== 409 || detail.state !== 'removing' || attempt === 50) throw refused(answer);
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }

  async renameContainer(id: string, name: string, signal?: AbortSignal): Promise<'renamed' | 'gone'> {
    const answer = await this.#engine.call({
      method: 'POST',
      path: `${containerPath(id)}/rename`,
      query: { name },
      signal,
    });
    if (answer.status === 204) return 'renamed';
    if (answer.status === 404) return 'gone';
    throw refused(answer, answer.status === 409 ? { conflict: 'name' } : {});
  }

  async pauseContainer(id: string, signal?: AbortSignal): Promise<'paused' | 'not-running' | 'gone'> {
    const answer = await this.#engine.call({ method: 'POST', path: `${containerPath(id)}/pause`, signal });
    if (answer.status === 204) return 'paused';
    const detail = await this.inspectContainer(id, signal);
    if (detail === null) return 'gone';
    if (detail.state === 'paused') return 'paused';
    if (!isUp(detail) || detail.state === 'restarting') return 'not-running';
    throw refused(answer);
  }

  /**
   * Right after a pause was lifted the Engine may show it again, until containerd's events of both have arrived, and
   * then refuses to lift it: there is nothing to lift (moby `daemon/monitor.go`, `EventPaused`).
   */
  async unpauseContainer(id: string, signal?: AbortSignal): Promise<'unpaused' | 'gone'> {
    for (let attempt = 1; ; attempt++) {
      const answer = await this.#engine.call({ method: 'POST', path: `${containerPath(id)}/unpause`, signal });
      if (answer.status === 204) return 'unpaused';
      const detail = await this.inspectContainer(id, signal);
      if (detail === null) return 'gone';
      if (detail.state !== 'paused') return 'unpaused';
      if (attempt === UNPAUSE_ATTEMPTS) throw refused(answer);
      await sleep(UNPAUSE_PAUSE_MS, undefined, { signal });
    }
  }

  async setRestartPolicy(id: string, policy: RestartPolicy, signal?: AbortSignal): Promise<'set' | 'gone'> {
    const answer = await this.#engine.call({
      method: 'POST',
      path: `${containerPath(id)}/update`,
      body: { RestartPolicy: { Name: policy } },
      signal,
    });
    if (answer.status === 404) return 'gone';
    parse(answer);
    return 'set';
  }

  async inspectImage(reference: string, signal?: AbortSignal): Promise<ImageDetail | null> {
    const path = imagePath(reference);
    if (path === null) return null;
    const answer = await this.#engine.call({ method: 'GET', path: `/images/${path}/json`, signal });
    // 400: not a reference at all, so no image has it.
    if (answer.status === 404 || answer.status === 400) return null;
    return imageFromInspect(parse<ImageJson>(answer));
  }

  async pullImage(reference: string, signal?: AbortSignal): Promise<ImageDetail> {
    const missing = (retryable: boolean, why: string): ForgeError =>
      new ForgeError({ code: 'IMAGE_MISSING', retryable, params: { image: reference, why } });
    if (imagePath(reference) === null || reference.startsWith('sha256:')) throw missing(false, 'not a registry name');
    const answer = await this.#engine.call({
      method: 'POST',
      path: '/images/create',
      // Without a tag the Engine would pull every tag of the repository.
      query: { fromImage: withTag(reference) },
      signal,
      limitMs: IMAGE_SILENCE_MS,
    });
    if (answer.status !== 200) throw missing(answer.status >= 500, message(answer));
    const failure = pullFailure(answer.text);
    if (failure !== null) throw missing(true, plainText(failure));
    const image = await this.inspectImage(reference, signal);
    if (image === null) throw missing(true, 'gone right after the pull');
    return image;
  }

  async loadImage(archive: Readable, signal?: AbortSignal): Promise<string[]> {
    const answer = await this.#engine.call({
      method: 'POST',
      path: '/images/load',
      query: { quiet: '1' },
      upload: archive,
      signal,
      limitMs: IMAGE_SILENCE_MS,
    });
    if (answer.status !== 200) throw refused(answer);
    const failure = pullFailure(answer.text);
    if (failure !== null) {
      throw new ForgeError({ code: 'DEPLOY_FAILED', retryable: false, params: { why: plainText(failure) } });
    }
    return loadedImages(answer.text);
  }

  async logs(id: string, tail: number, signal?: AbortSignal): Promise<string | null> {
    const output = new BoundedOutput(LOG_BYTES, 'last');
    const frames = new LogFrames((content) => output.push(content));
    const answer = await this.#engine.call({
      method: 'GET',
      path: `${containerPath(id)}/logs`,
      query: { stdout: '1', stderr: '1', tail: String(tail) },
      signal,
      onData: (chunk) => frames.push(chunk),
    });
    if (answer.status === 404) return null;
    // 501: the container's log driver keeps nothing to read.
    if (answer.status !== 200 && answer.status !== 501) throw refused(answer);
    return output.toString();
  }

  async exec(
    id: string,
    command: readonly string[],
    timeoutMs: number,
    signal?: AbortSignal,
  ): Promise<{ readonly exitCode: number; readonly output: string } | 'gone'> {
    const created = await this.#engine.call({
      method: 'POST',
      path: `${containerPath(id)}/exec`,
      body: { AttachStdout: true, AttachStderr: true, Cmd: command },
      signal,
    });
    if (created.status === 404) return 'gone';
    if (created.status === 409) {
      const detail = await this.inspectContainer(id, signal);
      if (detail === null || !isUp(detail)) return 'gone';
    }
    const execPath = `/exec/${parse<{ Id: string }>(created).Id}`;
    const output = new BoundedOutput(EXEC_OUTPUT_BYTES, 'first');
    const frames = new LogFrames((content) => output.push(content));
    const timeout = new AbortController();
    const timer = setTimeout(() => timeout.abort(), timeoutMs);
    try {
      const started = await this.#engine.call({
        method: 'POST',
        path: `${execPath}/start`,
        body: { Detach: false, Tty: false },
        signal: signal ? AbortSignal.any([signal, timeout.signal]) : timeout.signal,
        limitMs: null,
        onData: (chunk) => frames.push(chunk),
      });
      // 404, 409: the container ended between the two calls.
      if (started.status === 404 || started.status === 409) return 'gone';
      if (started.status !== 200) throw refused(started);
    } catch (error) {
      if (!timeout.signal.aborted || signal?.aborted) throw error;
      return { exitCode: EXEC_TIMED_OUT, output: output.toString() };
    } finally {
      clearTimeout(timer);
    }
    const result = await this.#engine.call({ method: 'GET', path: `${execPath}/json`, signal });
    if (result.status === 404) return 'gone';
    return { exitCode: parse<{ ExitCode: number | null }>(result).ExitCode ?? -1, output: output.toString() };
  }

  async waitContainer(id: string, signal?: AbortSignal): Promise<{ readonly exitCode: number } | null> {
    const answer = await this.#engine.call({
      method: 'POST',
      path: `${containerPath(id)}/wait`,
      query: { condition: 'not-running' },
      signal,
      limitMs: null,
    });
    return answer.status === 404 ? null : { exitCode: parse<{ StatusCode: number }>(answer).StatusCode };
  }
}

const containerPath = (id: string): string => `/containers/${encodeURIComponent(id)}`;

const isUp = (detail: ContainerDetail): boolean =>
  detail.state === 'running' || detail.state === 'paused' || detail.state === 'restarting';

/** null for what can be no image name; dot segments would be resolved as path by URL parsers. */
function imagePath(reference: string): string | null {
  const segments = reference.split('/');
  if (segments.some((segment) => segment === '' || segment === '.' || segment === '..')) return null;
  return segments.map(encodeURIComponent).join('/');
}

function parse<T = unknown>(answer: EngineAnswer): T {
  if (answer.status < 200 || answer.status > 299) throw refused(answer);
  try {
    return JSON.parse(answer.text) as T;
  } catch (cause) {
    throw new ForgeError({ code: 'DOCKER_AWAY', params: { why: 'an answer that is not JSON' }, cause });
  }
}

function message(answer: EngineAnswer): string {
  let text = answer.text;
  try {
    text = (JSON.parse(answer.text) as { message?: string }).message ?? answer.text;
  } catch {
    // A proxy in between may answer in plain text.
  }
  return plainText(text) || `status ${answer.status}`;
}

/** 4xx: the same call can only be refused again. */
function refused(answer: EngineAnswer, params: Record<string, string> = {}): ForgeError {
  return new ForgeError({
    code: 'DEPLOY_FAILED',
    retryable: answer.status >= 500,
    params: { why: message(answer), status: answer.status, ...params },
  });
}

/**
 * The Engine answers a taken port with 500 and a text, in three wordings (20.10 allocator, userland proxy, 28): the one place where text decides.
 */
function takenPort(text: string, detail: ContainerDetail): number | null {
  if (!/port is already allocated|address already in use/.test(text)) return null;
  const published = detail.ports.flatMap((port) => (port.published === null ? [] : [port.published]));
  return published.find((port) => new RegExp(`:${port}\\b`).test(text)) ?? published[0] ?? null;
}
