import http from 'node:http';

export interface Answer {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly text: string;
  // Specs look into whatever came.
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  readonly body: any;
}

export interface Sent {
  readonly body?: unknown;
  /** Sent as it is, with `content-type` from the headers. */
  readonly raw?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Plain HTTP to a port of this machine: what a spec sends is what goes over the wire. */
export class TestClient {
  readonly port: number;
  readonly credentials: Readonly<Record<string, string>>;

  constructor(port: number, credentials: Readonly<Record<string, string>> = {}) {
    this.port = port;
    this.credentials = credentials;
  }

  with(credentials: Readonly<Record<string, string>>): TestClient {
    return new TestClient(this.port, credentials);
  }

  get = (path: string, sent?: Sent): Promise<Answer> => this.send('GET', path, sent);
  post = (path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Answer> =>
    this.send('POST', path, { body, headers });
  patch = (path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Answer> =>
    this.send('PATCH', path, { body, headers });
  delete = (path: string, headers: Record<string, string> = {}): Promise<Answer> =>
    this.send('DELETE', path, { headers });

  send(method: string, path: string, { body, raw, headers = {} }: Sent = {}): Promise<Answer> {
    const text = raw ?? (body === undefined ? undefined : JSON.stringify(body));
    const type = body === undefined ? {} : { 'content-type': 'application/json' };
    return new Promise((resolve, reject) => {
      const request = http.request(
        {
          host: '127.0.0.1',
          port: this.port,
          method,
          path,
          agent: false,
          headers: { ...type, ...this.credentials, ...headers },
        },
        (response) => {
          const chunks: Buffer[] = [];
          response.on('data', (chunk: Buffer) => chunks.push(chunk));
          response.on('error', reject);
          response.on('end', () => {
            const answer = Buffer.concat(chunks).toString();
            const isJson = /json/.test(response.headers['content-type'] ?? '');
            resolve({
              status: response.statusCode ?? 0,
              headers: response.headers,
              text: answer,
              body: isJson && answer !== '' ? (JSON.parse(answer) as unknown) : null,
            });
          });
        },
      );
      request.on('error', reject);
      if (text !== undefined) request.setHeader('content-length', Buffer.byteLength(text));
      request.end(text);
    });
  }
}

export interface StreamEvent {
  readonly event: string;
  readonly id: string | null;
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  readonly data: any;
}

/** Reads a server-sent event stream until it ends or `enough` says so. */
export function readStream(
  client: TestClient,
  path: string,
  enough: (events: readonly StreamEvent[]) => boolean,
  headers: Record<string, string> = {},
): Promise<{ readonly events: StreamEvent[]; readonly text: string; readonly headers: http.IncomingHttpHeaders }> {
  return new Promise((resolve, reject) => {
    const request = http.get(
      {
        host: '127.0.0.1',
        port: client.port,
        path,
        agent: false,
        headers: { ...client.credentials, ...headers },
      },
      (response) => {
        let text = '';
        const done = (): void => resolve({ events: parseEvents(text), text, headers: response.headers });
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => {
          text += chunk;
          if (!enough(parseEvents(text))) return;
          done();
          request.destroy();
        });
        response.on('end', done);
        response.on('error', done);
      },
    );
    request.on('error', reject);
  });
}

function parseEvents(text: string): StreamEvent[] {
  return text
    .split('\n\n')
    .slice(0, -1)
    .flatMap((block) => {
      const field = (name: string): string | null =>
        block
          .split('\n')
          .find((line) => line.startsWith(`${name}: `))
          ?.slice(name.length + 2) ?? null;
      const data = field('data');
      return data === null
        ? []
        : [{ event: field('event') ?? 'message', id: field('id'), data: JSON.parse(data) as unknown }];
    });
}
