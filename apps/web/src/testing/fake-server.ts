/** Answers `fetch` from a table of `METHOD /path` and remembers what was asked. */
export interface Asked {
  readonly route: string;
  /** Without the question mark. */
  readonly query: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: unknown;
}
export interface Reply {
  readonly status?: number;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}
type Handler = (asked: Asked) => Reply | Promise<Reply>;

export class FakeServer {
  readonly asked: Asked[] = [];
  readonly #routes = new Map<string, Handler>();

  constructor() {
    globalThis.fetch = (input: RequestInfo | URL, init?: RequestInit) =>
      this.#answer(typeof input === 'string' ? input : input instanceof URL ? input.href : input.url, init);
  }

  on(route: string, handler: Handler | Reply): this {
    this.#routes.set(route, typeof handler === 'function' ? handler : () => handler);
    return this;
  }

  of(route: string): Asked[] {
    return this.asked.filter((one) => one.route === route);
  }

  async #answer(url: string, init: RequestInit = {}): Promise<Response> {
    const [place = '', query = ''] = url.split('?');
    const route = `${init.method ?? 'GET'} ${place}`;
    const asked: Asked = {
      route,
      query,
      headers: { ...(init.headers as Record<string, string>) },
      body: typeof init.body === 'string' ? JSON.parse(init.body) : undefined,
    };
    this.asked.push(asked);
    const handler = this.#routes.get(route);
    const reply =
      handler === undefined ? { status: 404, body: { code: 'NOT_FOUND', params: {} } } : await handler(asked);
    const status = reply.status ?? 200;
    const headers = new Map(Object.entries({ 'content-type': 'application/json', ...reply.headers }));
    return {
      ok: status < 400,
      status,
      headers: { get: (key: string) => headers.get(key.toLowerCase()) ?? null },
      text: async () => (reply.body === undefined ? '' : JSON.stringify(reply.body)),
      json: async () => reply.body,
    } as unknown as Response;
  }
}

export const lostAnswer = (): never => {
  throw new TypeError('network');
};
