import fs from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import path from 'node:path';
import { temporaryFolder } from './environment.ts';

export interface DockerCall {
  readonly method: string;
  readonly path: string;
}

/** What happens to a call that a rule matches. */
export interface Interference {
  /** Before the engine sees the call; may return an answer in the engine's place. */
  readonly before?: (
    call: DockerCall,
  ) => Promise<{ status: number; body: object } | void> | { status: number; body: object } | void;
  /** After the engine did it, before the server hears of it. */
  readonly after?: (call: DockerCall) => Promise<void> | void;
}

interface Rule extends Interference {
  readonly method: string;
  readonly path: RegExp;
  left: number;
}

/** Stands between the server and the real engine: remembers every call, can be away, can do something at a chosen call. */
export class DockerProxy {
  readonly calls: DockerCall[] = [];
  readonly socketPath: string;
  readonly #engine: string;
  readonly #rules: Rule[] = [];
  readonly #sockets = new Set<net.Socket>();
  #server: http.Server | null = null;

  constructor(engine: string) {
    this.#engine = engine;
    this.socketPath = path.join(temporaryFolder('proxy'), 'docker.sock');
  }

  get host(): string {
    return `unix://${this.socketPath}`;
  }

  /** @param times how many matching calls are interfered with; then the rule is spent */
  on(method: string, pathPattern: RegExp, interference: Interference, times = 1): void {
    this.#rules.push({ ...interference, method, path: pathPattern, left: times });
  }

  clear(): void {
    this.#rules.length = 0;
    this.calls.length = 0;
  }

  async up(): Promise<void> {
    const server = http.createServer((request, response) => {
      this.#forward(request, response).catch((error: unknown) => response.destroy(error as Error));
    });
    server.keepAliveTimeout = 0;
    server.on('connection', (socket) => {
      this.#sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => this.#sockets.delete(socket));
    });
    server.on('upgrade', (request, socket: net.Socket, head) => this.#tunnel(request, socket, head));
    fs.rmSync(this.socketPath, { force: true });
    await new Promise<void>((resolve) => server.listen(this.socketPath, resolve));
    this.#server = server;
  }

  /** As if the daemon had been stopped: connections break, the socket is gone. */
  async away(): Promise<void> {
    const server = this.#server;
    this.#server = null;
    if (server === null) return;
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
    fs.rmSync(this.socketPath, { force: true });
  }

  async destroy(): Promise<void> {
    await this.away();
    fs.rmSync(path.dirname(this.socketPath), { recursive: true, force: true });
  }

  async #forward(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    const call = { method: request.method ?? '', path: (request.url ?? '').replace(/^\/v1\.\d+/, '') };
    this.calls.push(call);
    const rule = this.#rules.find((each) => each.left > 0 && each.method === call.method && each.path.test(call.path));
    if (rule !== undefined) rule.left -= 1;
    const instead = await rule?.before?.(call);
    if (instead) {
      request.resume();
      response.writeHead(instead.status, { 'content-type': 'application/json' }).end(JSON.stringify(instead.body));
      return;
    }
    const onward = http.request({
      socketPath: this.#engine,
      method: request.method,
      path: request.url,
      headers: request.headers,
    });
    request.on('error', () => onward.destroy());
    response.on('close', () => onward.destroy());
    onward.on('error', (error) => response.destroy(error));
    onward.on('response', (answer) => {
      void (async () => {
        await rule?.after?.(call);
        response.writeHead(answer.statusCode ?? 502, answer.headers);
        response.flushHeaders();
        answer.on('error', () => response.destroy());
        answer.pipe(response);
      })();
    });
    request.pipe(onward);
  }

  /** Attach and exec hijack the connection. */
  #tunnel(request: http.IncomingMessage, socket: net.Socket, head: Buffer): void {
    this.calls.push({ method: request.method ?? '', path: (request.url ?? '').replace(/^\/v1\.\d+/, '') });
    const onward = net.connect(this.#engine);
    const lines = [`${request.method} ${request.url} HTTP/1.1`];
    for (let i = 0; i < request.rawHeaders.length; i += 2)
      lines.push(`${request.rawHeaders[i]}: ${request.rawHeaders[i + 1]}`);
    onward.on('error', () => socket.destroy());
    socket.on('error', () => onward.destroy());
    onward.write(`${lines.join('\r\n')}\r\n\r\n`);
    onward.write(head);
    onward.pipe(socket).pipe(onward);
  }
}
