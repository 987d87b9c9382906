import net from 'node:net';

/**
 * The network between a browser and the server. Cut, it is silent: nothing arrives and nothing is refused, as behind a dead
 * access point; mended, what was under way goes on.
 */
export class Wire {
  readonly #server: net.Server;
  readonly #sockets = new Set<net.Socket>();
  #isCut = false;

  private constructor(server: net.Server) {
    this.#server = server;
  }

  static async to(target: number): Promise<Wire> {
    const wire = new Wire(net.createServer());
    wire.#server.on('connection', (near) => {
      const far = net.connect(target, '127.0.0.1');
      for (const [from, to] of [
        [near, far],
        [far, near],
      ] as const) {
        wire.#sockets.add(from);
        from.on('data', (chunk: Buffer) => to.write(chunk));
        from.on('error', () => to.destroy());
        from.on('close', () => {
          wire.#sockets.delete(from);
          to.destroy();
        });
        if (wire.#isCut) from.pause();
      }
    });
    await new Promise<void>((resolve) => wire.#server.listen(0, '127.0.0.1', resolve));
    return wire;
  }

  get port(): number {
    return (this.#server.address() as net.AddressInfo).port;
  }

  cut(): void {
    this.#isCut = true;
    for (const socket of this.#sockets) socket.pause();
  }

  mend(): void {
    this.#isCut = false;
    for (const socket of this.#sockets) socket.resume();
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
