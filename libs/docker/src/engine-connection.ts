import http from 'node:http';
import { inspect } from 'node:util';
import type { Readable } from 'node:stream';
import Docker from 'dockerode';
import { ForgeError, isForgeError } from '@tiny-forge/contracts/domain';
import { plainText } from './plain-text.ts';

/** Engine 20.10. Newer engines are spoken to in this version while they accept it. */
const PREFERRED_API = '1.41';
const DEFAULT_LIMIT_MS = 30_000;
const MAX_ANSWER_BYTES = 16 * 1024 * 1024;

export interface EngineRequest {
  readonly method: 'GET' | 'POST' | 'DELETE';
  /** Path below the API version, already encoded. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: object;
  /** Streamed as application/x-tar. */
  readonly upload?: Readable;
  readonly signal?: AbortSignal | undefined;
  /** Time without any byte from the Engine, in ms, after which it counts as away. null: no limit. */
  readonly limitMs?: number | null;
  /** Gets the body piece by piece; without it the body is collected. */
  readonly onData?: (chunk: Buffer) => void;
}

export interface EngineAnswer {
  readonly status: number;
  readonly text: string;
}

/** What the port needs of a connection. */
export interface Engine {
  call(request: EngineRequest): Promise<EngineAnswer>;
}

/** `silent` when our own time limit ended a call: the Engine may still be working on it. */
export type AwayReason = 'unreachable' | 'silent' | 'too-old';

interface Modem {
  dial(
    options: {
      path: string;
      method: string;
      options: { _query?: object; _body?: object };
      file?: Readable;
      isStream: true;
      allowEmpty: boolean;
      statusCodes: Readonly<Record<number, true>>;
      abortSignal: AbortSignal;
    },
    callback: (error: Error | null, result: http.IncomingMessage) => void,
  ): void;
}

/** Every status is an answer to us; the port decides what it means. */
const anyStatus: Readonly<Record<number, true>> = Object.fromEntries(
  Array.from({ length: 500 }, (_, index) => [index + 100, true as const]),
);

/**
 * The modem turns the options of every request into text for its debug output, to any depth and also where that is off: from the
 * agent and the signal that led through all open sockets and whatever listens to them, and took longer than the Engine's answer.
 */
function unexamined<T extends object>(value: T, name: string): T {
  return Object.defineProperty(value, inspect.custom, { value: () => name });
}

/** One connection to an Engine: version, time limits, cancellation, and nothing about containers. */
export class EngineConnection implements Engine {
  readonly #modem: Modem;
  #version: Promise<string> | null = null;

  constructor(dockerHost: string | null) {
    // Without keep-alive: an idle socket of an Engine that was restarted would fail the next call.
    const agent = unexamined(new http.Agent({ keepAlive: false }), 'agent');
    const target = parseDockerHost(dockerHost);
    // Explicit `host: undefined`: the modem would take DOCKER_HOST of the process instead.
    const docker = new Docker(
      target.socketPath === null
        ? {
            host: target.host,
            port: target.port,
            protocol: target.protocol,
            ...(target.protocol === 'http' && { agent }),
          }
        : ({
            host: undefined,
            socketPath: target.socketPath,
            protocol: 'http',
            agent,
          } as unknown as Docker.DockerOptions),
    );
    this.#modem = docker.modem as Modem;
  }

  /** @throws ForgeError DOCKER_AWAY (param `reason`), CANCELLED */
  async call(request: EngineRequest): Promise<EngineAnswer> {
    const version = await abortable(this.#apiVersion(), request.signal);
    try {
      return await this.#dial({ ...request, path: `/v${version}${request.path}` });
    } catch (error) {
      // The Engine that comes back may be another version.
      if (isForgeError(error) && error.code === 'DOCKER_AWAY') this.#version = null;
      throw error;
    }
  }

  /** Shared by all callers, hence without the signal of any of them. */
  async #apiVersion(): Promise<string> {
    const pending = (this.#version ??= this.#negotiate());
    try {
      return await pending;
    } catch (error) {
      if (this.#version === pending) this.#version = null;
      throw error;
    }
  }

  async #negotiate(): Promise<string> {
    const answer = await this.#dial({ method: 'GET', path: '/version', limitMs: 5_000 });
    if (answer.status !== 200) throw away('unreachable', `GET /version answered ${answer.status}`);
    const { ApiVersion, MinAPIVersion } = parseVersion(answer.text);
    if (olderThan(ApiVersion, PREFERRED_API)) {
      throw away('too-old', `it speaks API ${ApiVersion}, ${PREFERRED_API} (Engine 20.10) is needed`);
    }
    return MinAPIVersion !== undefined && olderThan(PREFERRED_API, MinAPIVersion) ? MinAPIVersion : PREFERRED_API;
  }

  #dial(request: EngineRequest): Promise<EngineAnswer> {
    const { signal, limitMs = DEFAULT_LIMIT_MS } = request;
    return new Promise((resolve, reject) => {
      const abort = new AbortController();
      let timer: NodeJS.Timeout | undefined;
      let settled = false;
      const settle = (act: () => void): void => {
        if (settled) return;
        settled = true;
        clearTimeout(timer);
        signal?.removeEventListener('abort', onAbort);
        act();
      };
      const fail = (error: ForgeError): void =>
        settle(() => {
          abort.abort();
          request.upload?.destroy();
          reject(error);
        });
      const onAbort = (): void => fail(new ForgeError({ code: 'CANCELLED', cause: signal?.reason }));
      const restartTimer = (): void => {
        clearTimeout(timer);
        if (limitMs !== null && !settled) {
          timer = setTimeout(() => fail(away('silent', `no answer within ${limitMs / 1000} s`)), limitMs);
        }
      };
      if (signal?.aborted) return onAbort();
      signal?.addEventListener('abort', onAbort, { once: true });
      restartTimer();
      request.upload?.on('data', restartTimer).on('error', (error) => fail(uploadFailed(error)));
      this.#modem.dial(
        {
          // The modem adds the query only behind a question mark.
          path: request.query === undefined ? request.path : `${request.path}?`,
          method: request.method,
          options: { _query: request.query ?? {}, _body: request.body ?? {} },
          ...(request.upload !== undefined && { file: request.upload }),
          isStream: true,
          allowEmpty: request.body !== undefined,
          statusCodes: anyStatus,
          abortSignal: unexamined(abort.signal, 'signal'),
        },
        (error, response) => {
          if (error) return fail(unreachable(error));
          const chunks: Buffer[] = [];
          let bytes = 0;
          response.on('data', (chunk: Buffer) => {
            restartTimer();
            if (request.onData !== undefined && response.statusCode === 200) return request.onData(chunk);
            bytes += chunk.length;
            if (bytes <= MAX_ANSWER_BYTES) chunks.push(chunk);
            else fail(away('unreachable', `an answer of more than ${MAX_ANSWER_BYTES} bytes`));
          });
          response.on('error', (failure) => fail(unreachable(failure)));
          response.on('close', () => fail(away('unreachable', 'the connection ended within an answer')));
          response.on('end', () =>
            settle(() => resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString('utf8') })),
          );
        },
      );
    });
  }
}

interface Target {
  readonly socketPath: string | null;
  readonly host: string;
  readonly port: string;
  readonly protocol: 'http' | 'https';
}

/** @throws ForgeError SETTING_INVALID for anything but unix://, tcp://, http:// and https:// */
export function parseDockerHost(dockerHost: string | null): Target {
  const invalid = (): ForgeError =>
    new ForgeError({
      code: 'SETTING_INVALID',
      params: { name: 'DOCKER_HOST', value: dockerHost ?? '', allowed: 'unix:///path or tcp://host:port' },
    });
  if (dockerHost === null || dockerHost === 'unix://') {
    return { socketPath: '/var/run/docker.sock', host: '', port: '', protocol: 'http' };
  }
  if (dockerHost.startsWith('unix://')) {
    return { socketPath: dockerHost.slice('unix://'.length), host: '', port: '', protocol: 'http' };
  }
  const url = URL.canParse(dockerHost) ? new URL(dockerHost) : null;
  if (url === null || !['tcp:', 'http:', 'https:'].includes(url.protocol) || url.hostname === '') throw invalid();
  const secure = url.protocol === 'https:' || url.port === '2376';
  return {
    socketPath: null,
    host: url.hostname,
    port: url.port || (secure ? '2376' : '2375'),
    protocol: secure ? 'https' : 'http',
  };
}

function parseVersion(text: string): { readonly ApiVersion: string; readonly MinAPIVersion?: string } {
  try {
    const parsed = JSON.parse(text) as { ApiVersion?: unknown; MinAPIVersion?: string };
    if (typeof parsed.ApiVersion === 'string') return { ...parsed, ApiVersion: parsed.ApiVersion };
  } catch {
    // Told below.
  }
  throw away('unreachable', 'what answers there is no Docker Engine');
}

/** Settles with CANCELLED as soon as `signal` is aborted; the promise itself, shared by others, goes on. */
async function abortable<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise;
  const cancelled = (): ForgeError => new ForgeError({ code: 'CANCELLED', cause: signal.reason });
  let onAbort = (): void => {};
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(cancelled());
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
  });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

function olderThan(left: string, right: string): boolean {
  const [leftMajor = 0, leftMinor = 0] = left.split('.').map(Number);
  const [rightMajor = 0, rightMinor = 0] = right.split('.').map(Number);
  return leftMajor === rightMajor ? leftMinor < rightMinor : leftMajor < rightMajor;
}

function away(reason: AwayReason, why: string): ForgeError {
  return new ForgeError({ code: 'DOCKER_AWAY', params: { why, reason } });
}

function unreachable(error: Error): ForgeError {
  const code = (error as NodeJS.ErrnoException).code;
  return new ForgeError({
    code: 'DOCKER_AWAY',
    params: { why: plainText(code ?? error.message), reason: 'unreachable' satisfies AwayReason },
    cause: error,
  });
}

function uploadFailed(error: Error): ForgeError {
  return new ForgeError({
    code: 'IO_ERROR',
    params: { call: 'read', path: 'image archive', why: plainText(error.message) },
    cause: error,
  });
}
