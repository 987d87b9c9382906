import type { FastifyReply, FastifyRequest } from 'fastify';
import { isEnded, type Operation, type Permission } from '@tiny-forge/contracts/domain';
import { principalOf } from '../http/request.ts';
import { RequestError } from '../http/problem.ts';
import type { OperationPresenter } from '../operations/operation-presenter.ts';
import type { Parts } from '../parts.ts';
import { timestamp, type OperationRecord } from '../state/index.ts';
import type { LiveStatus } from '../workloads/live-status.ts';
import { authenticate } from '../http/authentication.ts';
import { EventStream } from './event-stream.ts';

const POLL_MS = 250;
const HEARTBEAT_MS = 5_000;
const STATUS_MS = 2_000;
const MAX_STREAMS = 500;
/** Ends of the last seconds are told to a list that has just connected as well: they may have been missed in between. */
const ENDED_WINDOW_MS = 10_000;
/** Credentials that were revoked end their streams within this. */
const CREDENTIALS_MS = 10_000;

interface Reader {
  readonly stream: EventStream;
  readonly permissions: readonly Permission[];
  /** null: all open operations and workload states. */
  readonly operationId: string | null;
  /** What was told last, per operation: the same is not told twice. */
  readonly told: Map<string, string>;
  readonly toldWorkloads: Map<string, string>;
  readonly stillAllowed: () => Promise<boolean>;
}

/**
 * Live changes for readers. The table is the source, because several processes write it: while somebody reads, it is asked four times a second,
 * and byte progress is asked of the running side.
 */
export class Streams {
  readonly #parts: Parts;
  readonly #presenter: OperationPresenter;
  readonly #status: LiveStatus;
  readonly #bootId: string;
  readonly #readers = new Set<Reader>();
  #timer: NodeJS.Timeout | null = null;
  #round: Promise<void> | null = null;
  #lastHeartbeat = 0;
  #lastStatus = 0;
  #lastCredentials = 0;
  #closed = false;

  constructor(parts: Parts, presenter: OperationPresenter, status: LiveStatus, bootId: string) {
    this.#parts = parts;
    this.#presenter = presenter;
    this.#status = status;
    this.#bootId = bootId;
  }

  get size(): number {
    return this.#readers.size;
  }

  ofOperation(request: FastifyRequest, reply: FastifyReply, operationId: string): void {
    this.#add(request, reply, operationId);
  }

  ofAll(request: FastifyRequest, reply: FastifyReply): void {
    this.#add(request, reply, null);
  }

  /** Ends every stream with a last comment. */
  async close(): Promise<void> {
    this.#closed = true;
    if (this.#timer) clearTimeout(this.#timer);
    for (const { stream } of this.#readers) stream.end('the server is stopping');
    await this.#round;
  }

  #add(request: FastifyRequest, reply: FastifyReply, operationId: string | null): void {
    if (this.#closed) throw new RequestError('SERVICE_UNAVAILABLE', { part: 'server' });
    if (this.#readers.size >= MAX_STREAMS) throw new RequestError('THROTTLED', { retryAfterSeconds: 10 });
    const stream = new EventStream(request, reply);
    const told = new Map<string, string>();
    const reader: Reader = {
      stream,
      permissions: principalOf(request).permissions,
      operationId,
      told,
      toldWorkloads: new Map(),
      stillAllowed: async () => (await authenticate(request, this.#parts.state)) !== null,
    };
    this.#readers.add(reader);
    stream.onEnd(() => this.#readers.delete(reader));
    this.#heartbeat(reader);
    void this.#first(reader);
    this.#schedule();
  }

  /** The present state at once; a reader that resumes after an end has seen it all. */
  async #first(reader: Reader): Promise<void> {
    const { state } = this.#parts;
    if (reader.operationId === null) {
      await this.#guarded(() => this.#tellAll([reader]));
      return;
    }
    const record = await state.operations.get(reader.operationId);
    if (record && isEnded(record.state) && reader.stream.lastEventId === String(record.revision)) {
      reader.stream.end('the operation has ended');
      return;
    }
    if (record) await this.#guarded(() => this.#tell([record], [reader]));
  }

  #schedule(): void {
    if (this.#timer !== null || this.#closed || this.#readers.size === 0) return;
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.#round = this.#guarded(() => this.#poll()).finally(() => {
        this.#round = null;
        this.#schedule();
      });
    }, POLL_MS);
  }

  async #poll(): Promise<void> {
    const now = performance.now();
    const readers = [...this.#readers];
    if (now - this.#lastCredentials > CREDENTIALS_MS) {
      this.#lastCredentials = now;
      for (const reader of readers) {
        if (!(await reader.stillAllowed())) reader.stream.end('signed out');
      }
    }
    const single = readers.filter((reader) => reader.operationId !== null);
    const ids = [...new Set(single.flatMap((reader) => reader.operationId ?? []))];
    const records: OperationRecord[] = [];
    for (const id of ids) {
      const record = await this.#parts.state.operations.get(id);
      if (record) records.push(record);
    }
    await this.#tell(records, single);
    await this.#tellAll(readers.filter((reader) => reader.operationId === null));
    if (now - this.#lastHeartbeat > HEARTBEAT_MS) {
      this.#lastHeartbeat = now;
      for (const reader of readers) this.#heartbeat(reader);
    }
  }

  async #tellAll(readers: readonly Reader[]): Promise<void> {
    if (readers.length === 0) return;
    const { state, clock } = this.#parts;
    const open = await state.operations.open();
    const ended = await state.operations.endedSince(timestamp(clock, -ENDED_WINDOW_MS));
    await this.#tell([...open, ...ended], readers);
    const now = performance.now();
    const fresh = readers.some((reader) => reader.toldWorkloads.size === 0);
    if (!fresh && now - this.#lastStatus < STATUS_MS) return;
    this.#lastStatus = now;
    const allowed = readers.filter((reader) => reader.permissions.includes('workloads:read'));
    if (allowed.length > 0) await this.#tellWorkloads(allowed, open);
  }

  async #tellWorkloads(readers: readonly Reader[], open: readonly OperationRecord[]): Promise<void> {
    const workloads = await this.#parts.state.workloads.all();
    await Promise.all(
      workloads.map(async (workload) => {
        const status = await this.#status.of(workload);
        const operation =
          open.find((each) => each.workloadId === workload.id && each.begunAt !== null) ??
          open.find((each) => each.workloadId === workload.id);
        const event = { id: workload.id, status, ...(operation ? { operationId: operation.id } : {}) };
        const text = JSON.stringify(event);
        for (const reader of readers) {
          if (reader.toldWorkloads.get(workload.id) === text) continue;
          reader.toldWorkloads.set(workload.id, text);
          reader.stream.send('workload', event);
        }
      }),
    );
  }

  async #tell(records: readonly OperationRecord[], readers: readonly Reader[]): Promise<void> {
    if (records.length === 0 || readers.length === 0) return;
    const byPermissions = new Map<string, Reader[]>();
    for (const reader of readers) {
      const key = reader.permissions.join(' ');
      byPermissions.set(key, [...(byPermissions.get(key) ?? []), reader]);
    }
    for (const group of byPermissions.values()) {
      const operations = await this.#presenter.presentAll(records, group[0]?.permissions ?? [], true);
      for (const operation of operations) for (const reader of group) tellOne(reader, operation);
    }
  }

  #heartbeat({ stream }: Reader): void {
    stream.send('heartbeat', { serverTime: timestamp(this.#parts.clock), bootId: this.#bootId });
  }

  /** A database or Docker that is away ends no stream: heartbeats go on, the next round tells. */
  async #guarded(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.#parts.log.warn({ err: error }, 'live changes could not be read');
    }
  }
}

function tellOne(reader: Reader, operation: Operation): void {
  if (reader.operationId !== null && reader.operationId !== operation.id) return;
  const { serverTime: _time, ...facts } = operation;
  const text = JSON.stringify(facts);
  if (reader.told.get(operation.id) === text) return;
  reader.told.set(operation.id, text);
  reader.stream.send(
    'operation',
    operation,
    reader.operationId === null ? operation.serverTime : String(operation.revision),
  );
  if (reader.operationId !== null && isEnded(operation.state)) reader.stream.end('the operation has ended');
}
