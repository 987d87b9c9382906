import { isForgeError, type Readiness, type SystemInfo } from '@tiny-forge/contracts/domain';
import type { OperationGateway } from '../operations/operation-gateway.ts';
import type { Parts } from '../parts.ts';
import { timestamp } from '../state/index.ts';

type Part = SystemInfo['parts'][number];
type PartName = Part['name'];
export interface PartWord {
  readonly status: Part['status'];
  readonly detail: string | null;
  readonly code: string | null;
}

/** What only the start of this process knows. */
export interface StartFacts {
  /** Recovery of interrupted restores, and why it cannot end. */
  recovery: PartWord;
  /** Docker answers but is not to be used (DOCKER_NOT_ON_THIS_HOST); null: nothing against it. */
  docker: PartWord | null;
}

const MAX_AGE_MS = 900;
const ASK_MS = 2_000;
const ok: PartWord = { status: 'ok', detail: null, code: null };

/** Asks each part; one answer serves everybody for less than a second. */
export class ReadinessProbe {
  readonly #parts: Pick<Parts, 'state' | 'docker' | 'clock'>;
  readonly #gateway: OperationGateway;
  readonly #facts: StartFacts;
  readonly #maxAgeMs: number;
  readonly #asksDocker: boolean;
  readonly #since = new Map<PartName, { readonly status: Part['status']; readonly at: string }>();
  #last: { readonly at: number; readonly parts: Promise<Part[]> } | null = null;

  /** @param options.maxAgeMs how old an answer may be; at most a second (api.md). `asksDocker` false: a role that needs no Engine */
  constructor(
    parts: Pick<Parts, 'state' | 'docker' | 'clock'>,
    gateway: OperationGateway,
    facts: StartFacts,
    options: { readonly maxAgeMs?: number; readonly asksDocker?: boolean } = {},
  ) {
    this.#maxAgeMs = options.maxAgeMs ?? MAX_AGE_MS;
    this.#asksDocker = options.asksDocker ?? true;
    this.#parts = parts;
    this.#gateway = gateway;
    this.#facts = facts;
  }

  get isStarted(): boolean {
    return this.#facts.recovery.status === 'ok';
  }

  parts(): Promise<Part[]> {
    const now = performance.now();
    if (this.#last === null || now - this.#last.at > this.#maxAgeMs) this.#last = { at: now, parts: this.#ask() };
    return this.#last.parts;
  }

  async readiness(): Promise<Readiness> {
    const parts = await this.parts();
    return { status: overall(parts), parts: parts.map(({ name, status }) => ({ name, status })) };
  }

  async #ask(): Promise<Part[]> {
    const { state, docker } = this.#parts;
    const asked = async (work: () => Promise<unknown>): Promise<PartWord> => {
      try {
        await within(work(), ASK_MS);
        return ok;
      } catch (error) {
        return away(error);
      }
    };
    const running = within(this.#gateway.health(), ASK_MS).catch((error: unknown) => ({
      temporal: away(error),
      workers: away(error),
    }));
    const [database, engine, { temporal, workers }] = await Promise.all([
      asked(() => state.ping()),
      this.#asksDocker ? asked(() => docker.info(AbortSignal.timeout(ASK_MS))) : ok,
      running,
    ]);
    const words: readonly [PartName, PartWord][] = [
      ['database', database],
      ['docker', engine.status === 'ok' ? (this.#facts.docker ?? ok) : engine],
      ['temporal', { code: null, ...temporal }],
      ['workers', { code: null, ...workers }],
      ['recovery', this.#facts.recovery],
    ];
    return words.map(([name, word]) => ({ name, ...word, since: this.#sinceOf(name, word.status) }));
  }

  #sinceOf(name: PartName, status: Part['status']): string {
    const known = this.#since.get(name);
    if (known?.status === status) return known.at;
    const at = timestamp(this.#parts.clock);
    this.#since.set(name, { status, at });
    return at;
  }
}

export function overall(parts: readonly { readonly status: Part['status'] }[]): Readiness['status'] {
  if (parts.every((part) => part.status === 'ok')) return 'ok';
  return parts.some((part) => part.status === 'away' || part.status === 'failed') ? 'degraded' : 'starting';
}

function away(error: unknown): PartWord {
  const code = isForgeError(error) ? error.code : null;
  return { status: 'away', detail: error instanceof Error ? error.message : String(error), code };
}

function within<T>(work: Promise<T>, ms: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer in ${ms} ms`)), ms);
  });
  return Promise.race([work, late]).finally(() => clearTimeout(timer));
}
