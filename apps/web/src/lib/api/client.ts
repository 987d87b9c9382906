import type { Problem } from '@tiny-forge/contracts/domain';
import { clock } from '../live/clock.svelte.ts';
import { ApiFailure, plainProblem } from './failure.ts';

export interface Call {
  readonly method?: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  readonly body?: unknown;
  /** Made once per dialog and sent again with every retry: a lost answer starts nothing twice. */
  readonly key?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
  readonly timeoutMs?: number;
}

export interface Answer<T> {
  readonly data: T;
  readonly status: number;
  readonly etag: string | null;
}

type OnUnauthenticated = () => void;

/** The one door to the server. Throws only `ApiFailure`. */
class Client {
  #csrf: string | undefined;
  #onUnauthenticated: OnUnauthenticated = () => undefined;

  setCsrf(token: string | null | undefined): void {
    this.#csrf = token ?? undefined;
  }

  onUnauthenticated(listener: OnUnauthenticated): void {
    this.#onUnauthenticated = listener;
  }

  async get<T>(path: string, call: Call = {}): Promise<T> {
    return (await this.send<T>(path, { ...call, method: 'GET' })).data;
  }

  async post<T>(path: string, call: Call = {}): Promise<T> {
    return (await this.send<T>(path, { ...call, method: 'POST' })).data;
  }

  async send<T>(path: string, call: Call = {}): Promise<Answer<T>> {
    const method = call.method ?? 'GET';
    const headers: Record<string, string> = { Accept: 'application/json', ...call.headers };
    if (method !== 'GET') {
      if (this.#csrf !== undefined) headers['X-CSRF-Token'] = this.#csrf;
      if (call.key !== undefined) headers['Idempotency-Key'] = call.key;
    }
    const init: RequestInit = { method, headers, credentials: 'same-origin', cache: 'no-store' };
    if (call.body !== undefined) {
      headers['Content-Type'] = 'application/json';
      init.body = JSON.stringify(call.body);
    }
    const timeout = AbortSignal.timeout(call.timeoutMs ?? 30_000);
    init.signal = call.signal === undefined ? timeout : AbortSignal.any([call.signal, timeout]);

    let response: Response;
    let text: string;
    try {
      response = await fetch(path, init);
      text = await response.text();
    } catch {
      throw new ApiFailure({ kind: 'network', method, at: clock.peek() });
    }
    clock.learnRoughly(response.headers.get('date'));
    const value = isJson(response) ? parse(text) : text;
    if (response.ok) return { data: value as T, status: response.status, etag: response.headers.get('etag') };
    const problem = asProblem(value, response.status);
    if (response.status === 401 && problem.code !== 'BAD_CREDENTIALS') this.#onUnauthenticated();
    throw new ApiFailure({ kind: 'problem', method, status: response.status, problem, at: clock.peek() });
  }
}

const isJson = (response: Response): boolean => /[/+]json\b/.test(response.headers.get('content-type') ?? '');

function parse(text: string): unknown {
  if (text === '') return undefined;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

function asProblem(value: unknown, status: number): Problem {
  if (typeof value === 'object' && value !== null && typeof (value as Problem).code === 'string') {
    const given = value as Partial<Problem> & { code: string };
    return { ...plainProblem(status, given.code), ...given, params: given.params ?? {} };
  }
  // A proxy in between answers in its own words.
  return plainProblem(
    status,
    status === 401 ? 'UNAUTHENTICATED' : status === 404 ? 'NOT_FOUND' : `HTTP_${String(status)}`,
  );
}

export const api = new Client();
