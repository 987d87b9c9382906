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
    const outcome = this.judge<T>(method, response.status, response.headers.get('content-type'), text);
    if (outcome instanceof ApiFailure) throw outcome;
    return { ...outcome, etag: response.headers.get('etag') };
  }

  /** Headers of a change made in this session, for requests that do not go through `send`. */
  credentials(): Readonly<Record<string, string>> {
    return this.#csrf === undefined ? {} : { 'X-CSRF-Token': this.#csrf };
  }

  /** What an answer means, whoever received it. */
  judge<T>(
    method: string,
    status: number,
    contentType: string | null,
    text: string,
  ): { readonly data: T; readonly status: number } | ApiFailure {
    const value = isJson(contentType) ? parse(text) : text;
    if (status >= 200 && status < 300) return { data: value as T, status };
    const problem = asProblem(value, status);
    if (status === 401 && problem.code !== 'BAD_CREDENTIALS') this.#onUnauthenticated();
    return new ApiFailure({ kind: 'problem', method, status, problem, at: clock.peek() });
  }
}

const isJson = (contentType: string | null): boolean => /[/+]json\b/.test(contentType ?? '');

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
