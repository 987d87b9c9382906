import { createServer } from 'node:net';

const FIRST = 18_080;
const TRIES = 200;

/** A TCP port of this host that nobody listens on now. @throws when 200 ports in a row are taken */
export async function freePort(address: string, first = FIRST): Promise<number> {
  for (let port = first; port < first + TRIES; port += 1) {
    if (await isFree(address, port)) return port;
  }
  throw new Error(`no free port from ${first} to ${first + TRIES - 1}`);
}

const isFree = (address: string, port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ host: address, port, exclusive: true }, () => server.close(() => resolve(true)));
  });
