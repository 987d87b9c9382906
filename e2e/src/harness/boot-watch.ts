import http from 'node:http';
import type { DockerEngine } from './docker-engine.ts';

/** Collects what every start of an app under test said about its data (`BOOT <tokens>`), removed containers included (I5). */
export class BootWatch {
  readonly #texts = new Map<string, string>();
  readonly #requests: http.ClientRequest[] = [];
  readonly #socketPath: string;
  #stopEvents: () => void = () => undefined;

  private constructor(socketPath: string) {
    this.#socketPath = socketPath;
  }

  /** @param isMine by the labels of the container that started */
  static async start(
    engine: DockerEngine,
    isMine: (labels: Readonly<Record<string, string>>) => boolean,
  ): Promise<BootWatch> {
    const watch = new BootWatch(engine.socketPath);
    const events = await engine.watch((event) => {
      if (event.Action === 'start' && isMine(event.Actor.Attributes)) watch.#follow(event.Actor.ID, event.timeNano);
    });
    watch.#stopEvents = () => events.stop();
    return watch;
  }

  #follow(id: string, timeNano: number): void {
    const since = (timeNano / 1e9 - 1).toFixed(3);
    const path = `/v1.41/containers/${id}/logs?follow=1&stdout=1&stderr=1&since=${since}`;
    const key = `${id} ${timeNano}`;
    const request = http.get({ socketPath: this.#socketPath, path }, (response) => {
      response.on('error', () => undefined);
      response.on('data', (chunk: Buffer) =>
        this.#texts.set(key, (this.#texts.get(key) ?? '') + chunk.toString('latin1')),
      );
    });
    request.on('error', () => undefined);
    this.#requests.push(request);
  }

  /** One entry a start, e.g. `snap`, or `live snap` for a start on mixed data. */
  boots(): string[] {
    return [...this.#texts.values()].flatMap((text) =>
      [...text.matchAll(/BOOT (.*)/g)].map((match) => (match[1] ?? '').trim()),
    );
  }

  stop(): void {
    this.#stopEvents();
    for (const request of this.#requests) request.destroy();
  }
}
