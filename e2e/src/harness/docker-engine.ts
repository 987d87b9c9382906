import http from 'node:http';
import { dockerSocket } from './environment.ts';

export interface ContainerSummary {
  readonly Id: string;
  readonly Names: readonly string[];
  readonly State: string;
  readonly Labels: Readonly<Record<string, string>>;
  readonly Mounts: readonly { readonly Source?: string; readonly Destination: string }[];
}

export interface ContainerDetail {
  readonly Id: string;
  readonly Name: string;
  readonly Image: string;
  readonly State: {
    readonly Status: string;
    readonly Running: boolean;
    readonly Paused: boolean;
    readonly StartedAt: string;
    readonly Pid: number;
  };
  readonly HostConfig: { readonly RestartPolicy: { readonly Name: string } };
  readonly Config: { readonly Labels: Readonly<Record<string, string>>; readonly Env: readonly string[] };
  readonly NetworkSettings: { readonly IPAddress: string };
}

export interface DockerEvent {
  readonly Type: string;
  readonly Action: string;
  readonly Actor: { readonly ID: string; readonly Attributes: Readonly<Record<string, string>> };
  readonly timeNano: number;
}

/** The engine itself, spoken to past the product. Answers above 399 are errors with `status`. */
export class DockerEngine {
  readonly socketPath: string;

  constructor(socketPath: string = dockerSocket()) {
    this.socketPath = socketPath;
  }

  async call<T>(method: string, path: string, body?: unknown): Promise<T> {
    const isStream = Buffer.isBuffer(body);
    const payload = body === undefined ? null : isStream ? body : Buffer.from(JSON.stringify(body));
    return new Promise<T>((resolve, reject) => {
      const request = http.request(
        {
          socketPath: this.socketPath,
          method,
          path: `/v1.41${path}`,
          headers:
            payload === null
              ? {}
              : {
                  'content-type': isStream ? 'application/x-tar' : 'application/json',
                  'content-length': payload.length,
                },
        },
        (response) => {
          const chunks: Buffer[] = [];
          response.on('data', (chunk: Buffer) => chunks.push(chunk));
          response.on('error', reject);
          response.on('end', () => {
            const text = Buffer.concat(chunks).toString();
            if ((response.statusCode ?? 500) > 399) {
              reject(
                Object.assign(new Error(`docker ${method} ${path}: ${response.statusCode} ${text}`), {
                  status: response.statusCode,
                }),
              );
              return;
            }
            resolve((response.headers['content-type']?.includes('json') && text !== '' ? parseLast(text) : text) as T);
          });
        },
      );
      request.on('error', reject);
      request.end(payload ?? undefined);
    });
  }

  containers(labels: readonly string[] = []): Promise<ContainerSummary[]> {
    const filters = encodeURIComponent(JSON.stringify({ label: labels }));
    return this.call('GET', `/containers/json?all=1&filters=${filters}`);
  }

  inspect(id: string): Promise<ContainerDetail> {
    return this.call('GET', `/containers/${id}/json`);
  }

  /** What a container printed, with the bytes of the stream's framing in between. */
  log(id: string): Promise<string> {
    return new Promise((resolve, reject) => {
      const path = `/v1.41/containers/${id}/logs?stdout=1&stderr=1`;
      const request = http.get({ socketPath: this.socketPath, path }, (response) => {
        let text = '';
        response.setEncoding('latin1');
        response.on('data', (chunk: string) => (text += chunk));
        response.on('error', reject);
        response.on('end', () => resolve(text));
      });
      request.on('error', reject);
    });
  }

  async remove(id: string): Promise<void> {
    await this.call('DELETE', `/containers/${id}?force=1&v=1`).catch(ignoreStatus(404, 409));
  }

  async removeImage(reference: string): Promise<void> {
    await this.call('DELETE', `/images/${reference}?force=1`).catch(ignoreStatus(404));
  }

  /** Runs a container that the product knows nothing of. */
  async runForeign(image: string, binds: readonly { source: string; target: string }[]): Promise<string> {
    const { Id } = await this.call<{ Id: string }>('POST', '/containers/create', {
      Image: image,
      HostConfig: { Mounts: binds.map((bind) => ({ Type: 'bind', Source: bind.source, Target: bind.target })) },
    });
    await this.call('POST', `/containers/${Id}/start`);
    return Id;
  }

  /** Events from now on until `stop`. */
  async watch(
    onEvent: (event: DockerEvent) => void = () => undefined,
  ): Promise<{ readonly events: DockerEvent[]; stop(): void }> {
    const events: DockerEvent[] = [];
    const request = http.request({ socketPath: this.socketPath, path: '/v1.41/events' });
    request.on('error', () => undefined);
    await new Promise<void>((resolve, reject) => {
      request.once('error', reject);
      request.once('response', (response) => {
        let rest = '';
        response.setEncoding('utf8');
        response.on('error', () => undefined);
        response.on('data', (chunk: string) => {
          const lines = (rest + chunk).split('\n');
          rest = lines.pop() ?? '';
          for (const line of lines.filter((each) => each.trim() !== '')) {
            const event = JSON.parse(line) as DockerEvent;
            events.push(event);
            onEvent(event);
          }
        });
        resolve();
      });
      request.end();
    });
    return { events, stop: () => request.destroy() };
  }
}

function parseLast(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Progress streams are one JSON document a line.
    return JSON.parse(text.trim().split('\n').at(-1) ?? 'null');
  }
}

function ignoreStatus(...statuses: readonly number[]) {
  return (error: unknown): undefined => {
    if (statuses.includes((error as { status?: number }).status ?? 0)) return undefined;
    throw error;
  };
}
