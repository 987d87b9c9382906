import { randomInt } from 'node:crypto';
import net from 'node:net';

/** The system's error code why nobody could listen there now, null when one could. */
export function listenProblem(host: string, port: number): Promise<string | null> {
  return new Promise((resolve) => {
    const server = net.createServer();
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(null)));
  });
}

/** Whether a server could listen there now. */
export async function isFree(host: string, port: number): Promise<boolean> {
  return (await listenProblem(host, port)) === null;
}

/** Linux gives ports from 32768 on to whoever asks for any. Below, a port stays ours while its server is away. */
const FIRST = 10_000;
const BEHIND_LAST = 32_768;
const TRIES = 200;

/** `count` different ports that are free on loopback at this moment and that nobody is given by chance. @throws when 200 in a row are taken */
export async function freePorts(count: number): Promise<number[]> {
  const found = new Set<number>();
  for (let tries = 0; found.size < count; tries += 1) {
    if (tries === TRIES)
      throw new Error(`no free port on loopback from ${FIRST} to ${BEHIND_LAST - 1} in ${TRIES} tries`);
    const port = randomInt(FIRST, BEHIND_LAST);
    if (await isFree('127.0.0.1', port)) found.add(port);
  }
  return [...found];
}
