import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pino } from 'pino';
import { api } from '@tiny-forge/contracts';
import { isEnded, parseSettings, type OperationKind, type Role } from '@tiny-forge/contracts/domain';
import type { OperationInput } from '@tiny-forge/workflows';
import { openState, systemClock, type OperationRecord, type State } from '../src/state/index.ts';
import {
  createOperationsRuntime,
  type OperationsRuntime,
  type OperationsRuntimeOptions,
} from '../src/temporal/index.ts';
import { FakeEngines } from './fake-engines.ts';

/** One installation: a data folder with its real state database, and the processes (runtimes) that work on it. Engines are fakes. */
export class OperationsLab {
  readonly engines = new FakeEngines();
  readonly installation = randomUUID();
  readonly hostId = randomUUID();
  readonly dataDir = mkdtempSync(path.join(tmpdir(), 'tf-operations-'));
  readonly #address: string;
  readonly #states: State[] = [];
  readonly #runtimes: OperationsRuntime[] = [];
  state!: State;

  constructor(address: string) {
    this.#address = address;
  }

  async open(): Promise<void> {
    this.state = await this.#openState();
  }

  async process(role: Role, more: Partial<OperationsRuntimeOptions> = {}): Promise<OperationsRuntime> {
    const state = this.#runtimes.length === 0 ? this.state : await this.#openState();
    const runtime = createOperationsRuntime({
      settings: parseSettings(
        { TINY_FORGE_ROLE: role, TEMPORAL_ADDRESS: this.#address, TEMPORAL_NAMESPACE: 'tiny-forge' },
        this.dataDir,
      ),
      installation: this.installation,
      hostId: this.hostId,
      state,
      clock: systemClock,
      newId: randomUUID,
      log: pino({ level: process.env['TEST_LOG'] ?? 'silent' }),
      host: role === 'api' ? null : this.engines.parts(),
      timings: { backoffMs: 50, maxBackoffMs: 200, outageMs: 30_000 },
      graceMs: 300,
      heartbeatMs: 1_000,
      ...more,
    });
    this.#runtimes.push(runtime);
    runtime.start();
    return runtime;
  }

  async ready(runtime: OperationsRuntime, timeoutMs = 90_000): Promise<void> {
    await this.eventually(
      async () => {
        const { temporal, workers } = await runtime.gateway.health();
        return temporal.status === 'ok' && workers.status === 'ok';
      },
      () => 'the runtime is not ready',
      timeoutMs,
    );
  }

  async workload(): Promise<string> {
    const id = randomUUID();
    const config = api.createWorkloadBody.parse({
      name: `app-${id.slice(0, 8)}`,
      project: 'lab',
      stage: 'test',
      source: { type: 'image', image: 'app:1' },
    });
    await this.state.transaction((stores) => stores.workloads.create(id, config, this.hostId));
    return id;
  }

  async snapshot(workloadId: string): Promise<string> {
    const id = randomUUID();
    const { snapshots } = this.state;
    await snapshots.insert({
      id,
      workloadId,
      kind: 'manual',
      note: null,
      quiesce: 'pause',
      codec: 'zstd',
      operationId: null,
      expiresAt: null,
    });
    await snapshots.complete(id, {
      image: null,
      bytes: 1,
      contentBytes: 1,
      entries: 1,
      archiveSha256: '0'.repeat(64),
      manifest: { formatVersion: 1, quiesce: 'pause', volumes: [] },
      volumes: [],
      notes: [],
      quiesce: 'pause',
      codec: 'zstd',
    });
    return id;
  }

  async request(
    workloadId: string,
    kind: OperationKind = 'restore',
    more: Partial<OperationInput> = {},
  ): Promise<OperationInput> {
    const input: OperationInput = {
      installation: this.installation,
      operationId: randomUUID(),
      kind,
      workloadId,
      hostId: this.hostId,
      snapshotId: kind === 'restore' || kind === 'snapshot' ? await this.snapshot(workloadId) : null,
      requestedBy: 'admin',
      operatorWaitSeconds: 0,
      options: {},
      ...more,
    };
    await this.state.transaction((stores) =>
      stores.operations.insert({
        input,
        notAfter: new Date(Date.now() + 5_000).toISOString(),
        situation: { app: 'running', data: 'current', since: new Date().toISOString() },
      }),
    );
    return input;
  }

  /** Row and submit, as REST does. */
  async submit(
    runtime: OperationsRuntime,
    workloadId: string,
    kind: OperationKind = 'restore',
    more: Partial<OperationInput> = {},
  ): Promise<OperationInput> {
    const input = await this.request(workloadId, kind, more);
    await runtime.gateway.submit(input);
    return input;
  }

  row(operationId: string): Promise<OperationRecord | null> {
    return this.state.operations.get(operationId);
  }

  async ended(operationId: string, timeoutMs = 30_000): Promise<OperationRecord> {
    let row: OperationRecord | null = null;
    await this.eventually(
      async () => {
        row = await this.row(operationId);
        return row !== null && isEnded(row.state);
      },
      () => `operation is ${row?.state ?? 'gone'}`,
      timeoutMs,
    );
    return row as unknown as OperationRecord;
  }

  async until(operationId: string, step: string, state: string): Promise<void> {
    await this.eventually(
      async () =>
        (await this.row(operationId))?.view.steps.find((candidate) => candidate.name === step)?.state === state,
      () => `${step} never was ${state}`,
    );
  }

  async eventually(look: () => Promise<boolean>, why: () => string, timeoutMs = 20_000): Promise<void> {
    const limit = Date.now() + timeoutMs;
    while (!(await look())) {
      if (Date.now() > limit) throw new Error(why());
      await new Promise((resolve) => setTimeout(resolve, 30));
    }
  }

  async close(): Promise<void> {
    for (const runtime of this.#runtimes.splice(0)) await runtime.stop();
    for (const state of this.#states.splice(0)) await state.close();
    rmSync(this.dataDir, { recursive: true, force: true });
  }

  async #openState(): Promise<State> {
    const state = await openState({ dataDir: this.dataDir, clock: systemClock, newId: randomUUID });
    this.#states.push(state);
    return state;
  }
}
