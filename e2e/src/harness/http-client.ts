import http from 'node:http';

export interface Answer<T = unknown> {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly text: string;
  /** Parsed body where it is JSON, else null. */
  readonly body: T;
}

export interface RawRequest {
  readonly method: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
  readonly timeoutMs?: number;
}

/** Plain HTTP without any help: what a test sends is what goes over the wire. */
export function send<T = unknown>(
  port: number,
  { method, path, headers = {}, body, timeoutMs = 30_000 }: RawRequest,
): Promise<Answer<T>> {
  return new Promise((resolve, reject) => {
    const request = http.request(
      { host: '127.0.0.1', port, method, path, agent: false, headers: { ...headers } },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => {
          const text = Buffer.concat(chunks).toString();
          const isJson = /json/.test(response.headers['content-type'] ?? '');
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            text,
            body: (isJson && text !== '' ? JSON.parse(text) : null) as T,
          });
        });
      },
    );
    request.setTimeout(timeoutMs, () => request.destroy(new Error(`${method} ${path}: no answer in ${timeoutMs} ms`)));
    request.on('error', reject);
    if (body !== undefined) request.setHeader('content-length', Buffer.byteLength(body));
    request.end(body);
  });
}

export interface Options {
  readonly headers?: Readonly<Record<string, string>>;
  readonly timeoutMs?: number;
}

/** A client of the API that carries credentials. The port may change hands: whoever listens there is asked. */
export class ApiClient {
  readonly port: number;
  readonly credentials: Readonly<Record<string, string>>;

  constructor(port: number, credentials: Readonly<Record<string, string>>) {
    this.port = port;
    this.credentials = credentials;
  }

  static async login(port: number, username: string, password: string): Promise<ApiClient> {
    const answer = await send<{ csrfToken: string }>(port, {
      method: 'POST',
      path: '/api/auth/login',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ username, password }),
    });
    if (answer.status !== 200) throw new Error(`login: ${answer.status} ${answer.text}`);
    const cookie = (answer.headers['set-cookie'] ?? []).map((each) => each.split(';')[0]).join('; ');
    return new ApiClient(port, { cookie, 'x-csrf-token': answer.body.csrfToken });
  }

  withToken(token: string, port = this.port): ApiClient {
    return new ApiClient(port, { authorization: `Bearer ${token}` });
  }

  /** The same credentials at another server process. */
  at(port: number): ApiClient {
    return new ApiClient(port, this.credentials);
  }

  raw<T = unknown>(request: RawRequest): Promise<Answer<T>> {
    return send<T>(this.port, { ...request, headers: { ...this.credentials, ...request.headers } });
  }

  get<T = unknown>(path: string, options: Options = {}): Promise<Answer<T>> {
    return this.raw<T>({ method: 'GET', path, ...options });
  }

  post<T = unknown>(path: string, body?: unknown, options: Options = {}): Promise<Answer<T>> {
    return this.#withBody<T>('POST', path, body, options);
  }

  patch<T = unknown>(path: string, body: unknown, options: Options = {}): Promise<Answer<T>> {
    return this.#withBody<T>('PATCH', path, body, options, 'application/merge-patch+json');
  }

  delete<T = unknown>(path: string, options: Options = {}): Promise<Answer<T>> {
    return this.raw<T>({ method: 'DELETE', path, ...options });
  }

  #withBody<T>(
    method: string,
    path: string,
    body: unknown,
    options: Options,
    type = 'application/json',
  ): Promise<Answer<T>> {
    if (body === undefined) return this.raw<T>({ method, path, ...options });
    return this.raw<T>({
      method,
      path,
      ...options,
      headers: { 'content-type': type, ...options.headers },
      body: JSON.stringify(body),
    });
  }
}
