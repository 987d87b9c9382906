import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client';
import type { FastifyInstance } from 'fastify';
import type { Parts } from '../parts.ts';
import type { ReadinessProbe } from './readiness.ts';

/** Figures for Prometheus. Labels are ids of endpoints and states, never of workloads or people. */
export class Metrics {
  readonly #registry = new Registry();
  readonly #requests: Counter<'endpoint' | 'status'>;
  readonly #seconds: Histogram<'endpoint'>;

  constructor(parts: Parts, readiness: ReadinessProbe, streams: { readonly size: number }) {
    const registers = [this.#registry];
    collectDefaultMetrics({ register: this.#registry });
    this.#requests = new Counter({
      name: 'tiny_forge_http_requests_total',
      help: 'Answered requests.',
      labelNames: ['endpoint', 'status'],
      registers,
    });
    this.#seconds = new Histogram({
      name: 'tiny_forge_http_request_seconds',
      help: 'Time from request to answer.',
      labelNames: ['endpoint'],
      buckets: [0.005, 0.02, 0.1, 0.5, 2, 10],
      registers,
    });
    new Gauge({
      name: 'tiny_forge_part_up',
      help: '1 where the part is ok.',
      labelNames: ['part'],
      registers,
      async collect() {
        for (const part of await readiness.parts()) this.set({ part: part.name }, part.status === 'ok' ? 1 : 0);
      },
    });
    new Gauge({
      name: 'tiny_forge_operations_open',
      help: 'Operations that have not ended, by state.',
      labelNames: ['state'],
      registers,
      async collect() {
        this.reset();
        for (const operation of await parts.state.operations.open()) this.inc({ state: operation.state });
      },
    });
    new Gauge({
      name: 'tiny_forge_event_streams',
      help: 'Readers of live changes.',
      registers,
      collect() {
        this.set(streams.size);
      },
    });
  }

  register(fastify: FastifyInstance): void {
    fastify.addHook('onResponse', async (request, reply) => {
      const endpoint = request.routeOptions.config.endpoint?.id ?? 'other';
      this.#requests.inc({ endpoint, status: String(reply.statusCode) });
      this.#seconds.observe({ endpoint }, reply.elapsedTime / 1000);
    });
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  text(): Promise<string> {
    return this.#registry.metrics();
  }
}
