import type { FastifyReply, FastifyRequest } from 'fastify';

/** More than this waits unread: the reader is gone or asleep, and the next connection begins with the present state. */
const MAX_BUFFERED_BYTES = 1024 * 1024;

/** One server-sent event stream. Written to by the feed, ended once. */
export class EventStream {
  readonly #reply: FastifyReply;
  readonly lastEventId: string | null;
  #closed = false;
  readonly #listeners: (() => void)[] = [];

  constructor(request: FastifyRequest, reply: FastifyReply) {
    this.#reply = reply;
    const header = request.headers['last-event-id'];
    this.lastEventId = typeof header === 'string' && header.length <= 64 ? header : null;
    // What hooks and helmet have set so far is lost with the hijack unless it is carried over.
    const headers = Object.fromEntries(
      Object.entries(reply.getHeaders()).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
    );
    reply.hijack();
    reply.raw.writeHead(200, {
      ...headers,
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      connection: 'close',
      'x-accel-buffering': 'no',
    });
    reply.raw.on('close', () => this.#end());
    reply.raw.on('error', () => this.#end());
    this.#write('retry: 1000\n\n');
  }

  get isClosed(): boolean {
    return this.#closed;
  }

  /** @param id what a reconnecting reader sends as Last-Event-ID */
  send(event: string, data: unknown, id?: string): void {
    this.#write(`${id === undefined ? '' : `id: ${id}\n`}event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
  }

  /** @param comment told as the last line */
  end(comment?: string): void {
    if (this.#closed) return;
    if (comment !== undefined) this.#write(`: ${comment}\n\n`);
    this.#reply.raw.end();
    this.#end();
  }

  onEnd(listener: () => void): void {
    if (this.#closed) listener();
    else this.#listeners.push(listener);
  }

  #write(text: string): void {
    if (this.#closed) return;
    this.#reply.raw.write(text);
    if (this.#reply.raw.writableLength > MAX_BUFFERED_BYTES) {
      this.#reply.raw.destroy();
      this.#end();
    }
  }

  #end(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const listener of this.#listeners) listener();
  }
}
