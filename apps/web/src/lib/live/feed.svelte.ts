import { type Operation, type Readiness, type WorkloadStatus, isEnded } from '@tiny-forge/contracts/domain';
import { untrack } from 'svelte';
import { operations, readiness } from '../api/calls.ts';
import { codeOf, failureOf } from '../api/failure.ts';
import { operationStore } from '../state/operations.svelte.ts';
import { session } from '../state/session.svelte.ts';
import { clock } from './clock.svelte.ts';

/** Silence after which what is shown is called old. The server beats at least every 10 s. */
export const STALE_AFTER = 25_000;
const HIDDEN_GRACE = 30_000;
const HIDDEN_POLL = 15_000;
const BACKOFF = [1000, 2000, 4000, 8000, 10_000];

export interface WorkloadEvent {
  readonly id: string;
  readonly status: WorkloadStatus;
  readonly operationId?: string;
}
export type Trouble = 'none' | 'away' | 'starting';
export const OPEN_STATES = 'QUEUED,RUNNING,WAITING,COMPENSATING,NEEDS_OPERATOR';

/**
 * One stream per visible tab, for the whole page. Every opening begins with a GET, because `EventSource` hides why it failed and
 * what was missed. Hidden for 30 s: the stream closes (a browser has six connections a host) and a GET every 15 s replaces it.
 */
class Feed {
  /** Nothing was heard for 25 s: NOW is grey, buttons are off. */
  stale = $state(false);
  trouble = $state<Trouble>('none');
  /** What is open was loaded at least once. */
  synced = $state(false);
  /** Performance time of the next try, while there is trouble. */
  retryAt = $state<number | undefined>();
  parts = $state.raw<Readiness['parts']>([]);
  /** Set when the connection came back; `restarted` when it is another process. */
  notice = $state<'none' | 'restarted' | 'reconnected'>('none');
  /** Server time of the last message. */
  heardAt = $state<number | undefined>();

  #stream: EventSource | undefined;
  #streamUrl = '';
  #watched: string | undefined;
  #heard = 0;
  #bootId: string | undefined;
  #failures = 0;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #hidden: ReturnType<typeof setTimeout> | undefined;
  #poll: ReturnType<typeof setInterval> | undefined;
  #round = 0;
  #running = false;
  readonly #operationListeners = new Set<(operation: Operation) => void>();
  readonly #workloadListeners = new Set<(event: WorkloadEvent) => void>();
  readonly #syncListeners = new Set<() => void>();

  /** Begins; the returned function ends it. */
  start(): () => void {
    if (this.#running) return () => undefined;
    this.#running = true;
    this.#failures = 0;
    this.#heard = performance.now();
    const beat = setInterval(() => this.#beat(), 1000);
    const wake = () => this.#wake();
    const visibility = () => (document.hidden ? this.#hide() : this.#wake());
    document.addEventListener('visibilitychange', visibility);
    window.addEventListener('pageshow', wake);
    window.addEventListener('online', wake);
    untrack(() => void this.#connect());
    return () => {
      this.#running = false;
      clearInterval(beat);
      document.removeEventListener('visibilitychange', visibility);
      window.removeEventListener('pageshow', wake);
      window.removeEventListener('online', wake);
      this.#stopTimers();
      this.#close();
    };
  }

  /** The operation page looks at one operation closely; `undefined` goes back to all open ones. */
  watch(operationId: string | undefined): void {
    if (this.#watched === operationId) return;
    this.#watched = operationId;
    // Called from effects, which must not follow each message of the operation.
    untrack(() => {
      if (this.#running && this.#stream !== undefined && this.#streamUrl !== this.#url()) void this.#connect();
    });
  }

  onOperation(listener: (operation: Operation) => void): () => void {
    this.#operationListeners.add(listener);
    return () => this.#operationListeners.delete(listener);
  }
  onWorkload(listener: (event: WorkloadEvent) => void): () => void {
    this.#workloadListeners.add(listener);
    return () => this.#workloadListeners.delete(listener);
  }
  /** After each (re)connection: messages may have been missed, load again. */
  onSync(listener: () => void): () => void {
    this.#syncListeners.add(listener);
    return () => this.#syncListeners.delete(listener);
  }

  /** A GET elsewhere brought an operation: same door, same order. */
  take(operation: Operation): void {
    clock.learn(operation.serverTime);
    this.#accept(operation);
  }

  retryNow(): void {
    void this.#connect();
  }

  #url(): string {
    const watched = this.#watched === undefined ? undefined : operationStore.get(this.#watched);
    return watched !== undefined && !isEnded(watched.state)
      ? `/api/operations/${encodeURIComponent(watched.id)}/events`
      : '/api/events';
  }

  async #connect(): Promise<void> {
    clearTimeout(this.#retry);
    if (!document.hidden) this.#stopTimers();
    this.#close();
    const round = ++this.#round;
    try {
      await this.#resync();
    } catch (error) {
      if (round === this.#round && this.#running) await this.#failed(error, round);
      return;
    }
    if (round !== this.#round || !this.#running) return;
    this.#recovered();
    this.synced = true;
    for (const listener of this.#syncListeners) listener();
    if (document.hidden && this.#poll !== undefined) return;
    this.#open(round);
  }

  #open(round: number): void {
    this.#streamUrl = this.#url();
    const stream = new EventSource(this.#streamUrl);
    this.#stream = stream;
    const on = <T>(event: string, take: (data: T) => void) =>
      stream.addEventListener(event, (message) => {
        if (this.#stream !== stream) return;
        this.#hear();
        take(JSON.parse((message as MessageEvent<string>).data) as T);
      });
    on<Operation>('operation', (operation) => this.#accept(operation));
    on<WorkloadEvent>('workload', (event) => {
      for (const listener of this.#workloadListeners) listener(event);
    });
    on<{ serverTime: string; bootId: string }>('heartbeat', (beat) => {
      clock.learn(beat.serverTime);
      this.#failures = 0;
      if (this.#bootId !== undefined && this.#bootId !== beat.bootId) this.notice = 'restarted';
      this.#bootId = beat.bootId;
    });
    stream.addEventListener('error', () => {
      if (this.#stream !== stream || round !== this.#round) return;
      this.#close();
      this.#schedule();
    });
  }

  /** What is open now, and what became of what was open. */
  async #resync(): Promise<void> {
    const page = await operations.list({ state: OPEN_STATES });
    this.#hear();
    const listed = new Set(page.items.map((operation) => operation.id));
    for (const operation of page.items) {
      clock.learn(operation.serverTime);
      this.#accept(operation);
    }
    const missed = operationStore.open.filter((operation) => !listed.has(operation.id));
    for (const { id } of missed.slice(0, 20)) {
      try {
        this.#accept(await operations.get(id));
      } catch (error) {
        const failure = failureOf(error);
        if (failure.kind !== 'problem' || failure.status !== 404) throw error;
        operationStore.forget(id);
      }
    }
  }

  #accept(operation: Operation): void {
    if (!operationStore.accept(operation)) return;
    for (const listener of this.#operationListeners) listener(operation);
    if (this.#watched === operation.id && isEnded(operation.state) && this.#streamUrl !== this.#url())
      void this.#connect();
  }

  async #failed(error: unknown, round: number): Promise<void> {
    const failure = failureOf(error);
    if (failure.kind === 'problem' && failure.status === 401) return; // signing in starts it again
    const ready = await readiness();
    if (round !== this.#round) return;
    this.parts = ready?.parts ?? [];
    this.trouble = codeOf(failure) === 'STARTING' || ready?.status === 'starting' ? 'starting' : 'away';
    this.#schedule();
  }

  #schedule(): void {
    const wait = BACKOFF[Math.min(this.#failures, BACKOFF.length - 1)] ?? 10_000;
    this.#failures += 1;
    this.retryAt = performance.now() + wait;
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => {
      if (session.state === 'in') void this.#connect();
    }, wait);
  }

  #recovered(): void {
    if ((this.stale || this.trouble !== 'none') && this.notice === 'none') {
      this.notice = 'reconnected';
      setTimeout(() => {
        if (this.notice === 'reconnected') this.notice = 'none';
      }, 8000);
    }
    this.trouble = 'none';
    this.retryAt = undefined;
    this.parts = [];
  }

  #hear(): void {
    this.#heard = performance.now();
    this.heardAt = clock.peek();
    this.stale = false;
  }

  #beat(): void {
    clock.tick();
    const silence = performance.now() - this.#heard;
    if (silence <= STALE_AFTER) return;
    if (!this.stale) this.stale = true;
    // Open but silent: a proxy or a sleeping network holds a dead connection.
    if (this.#stream !== undefined && session.state === 'in') {
      this.#close();
      this.#schedule();
    }
  }

  #wake(): void {
    if (this.#hidden === undefined && this.#poll === undefined && this.#stream?.readyState === EventSource.OPEN) {
      if (performance.now() - this.#heard < STALE_AFTER / 2) return;
    }
    if (session.state === 'in') void this.#connect();
  }

  #hide(): void {
    clearTimeout(this.#hidden);
    this.#hidden = setTimeout(() => {
      this.#close();
      clearTimeout(this.#retry);
      this.#poll = setInterval(() => {
        if (session.state !== 'in') return;
        void this.#resync().then(
          () => this.#recovered(),
          () => undefined,
        );
      }, HIDDEN_POLL);
    }, HIDDEN_GRACE);
  }

  #stopTimers(): void {
    clearTimeout(this.#retry);
    clearTimeout(this.#hidden);
    clearInterval(this.#poll);
    this.#retry = this.#hidden = this.#poll = undefined;
  }

  #close(): void {
    this.#stream?.close();
    this.#stream = undefined;
    this.#streamUrl = '';
  }
}

export const feed = new Feed();
