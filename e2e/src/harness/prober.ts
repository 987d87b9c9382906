import http from 'node:http';
import { sleep } from './waiting.ts';

/** A number that the app said it has written, and the generation of the data that took it. */
export interface Ack {
  readonly generation: string;
  readonly number: number;
}

/**
 * Somebody who uses the app all the time: writes one number after the other and remembers which were acknowledged. Knows nothing of
 * restores; no number is ever sent twice.
 */
export class Prober {
  readonly acks: Ack[] = [];
  readonly #port: number;
  #next = 1;
  #running: Promise<void> | null = null;
  #stopping = false;

  constructor(port: number) {
    this.#port = port;
  }

  /** Numbers from here on have not been tried. */
  get next(): number {
    return this.#next;
  }

  start(): void {
    this.#stopping = false;
    this.#running ??= this.#run();
  }

  /** Resolves when nothing is under way. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#running;
    this.#running = null;
  }

  /** What the app itself says is in the ledger of a volume. */
  async read(volume: string): Promise<string> {
    return (await this.#get(`/cgi-bin/read?${volume}`)) ?? Promise.reject(new Error('the app does not answer'));
  }

  async #run(): Promise<void> {
    while (!this.#stopping) {
      const number = this.#next++;
      const answer = await this.#get(`/cgi-bin/write?${number}`);
      const [generation = '', echoed] = (answer ?? '').trim().split(' ');
      if (echoed === String(number)) this.acks.push({ generation, number });
      await sleep(answer === null ? 60 : 15);
    }
  }

  /** null: no good answer within two seconds. */
  #get(path: string): Promise<string | null> {
    return new Promise((resolve) => {
      const request = http.get(
        { host: '127.0.0.1', port: this.#port, path, agent: false, timeout: 2_000 },
        (response) => {
          let text = '';
          response.setEncoding('utf8');
          response.on('data', (chunk: string) => (text += chunk));
          response.on('error', () => resolve(null));
          response.on('end', () => resolve(response.statusCode === 200 ? text : null));
          response.on('close', () => resolve(null));
        },
      );
      request.on('timeout', () => request.destroy());
      request.on('error', () => resolve(null));
    });
  }
}
