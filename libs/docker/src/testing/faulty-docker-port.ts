import { ForgeError } from '@tiny-forge/contracts/domain';
import type { DockerPort } from '../docker-port.ts';

export type DockerMethod = keyof DockerPort;

export interface Fault {
  /** Number of the call that goes wrong, counting from 1 over `methods`. */
  readonly at: number;
  /**
   * `before`: nothing happened and the call fails. `after`: it happened and the answer got lost. `hang`: it never settles until its signal is
   * aborted, then gives CANCELLED; a call without a signal hangs for ever.
   */
  readonly how: 'before' | 'after' | 'hang';
  /** Default: this one call; `from` also fails every later one. */
  readonly span?: 'once' | 'from';
  /** Default: every method. */
  readonly methods?: readonly DockerMethod[];
  /** Default: DOCKER_AWAY. */
  readonly error?: () => Error;
}

export interface DockerCall {
  readonly method: DockerMethod;
  readonly args: readonly unknown[];
  /** Set once it has settled. */
  outcome: 'pending' | 'ok' | 'failed' | 'faulted';
}

/** A Docker port around another one that logs every call and makes one of them go wrong. */
export class FaultyDockerPort {
  readonly calls: DockerCall[] = [];
  /** Hand this to what is tested. */
  readonly port: DockerPort;
  #fault: Fault | null;
  #counted = 0;

  constructor(inner: DockerPort, fault: Fault | null = null) {
    this.#fault = fault;
    this.port = new Proxy(inner, {
      get: (target, property) => {
        const value: unknown = Reflect.get(target, property, target);
        if (typeof value !== 'function') return value;
        return (...args: unknown[]) =>
          this.#call(property as DockerMethod, args, () => Reflect.apply(value, target, args) as Promise<unknown>);
      },
    });
  }

  /** Whether the fault was reached. */
  get faulted(): boolean {
    return this.calls.some((call) => call.outcome === 'faulted');
  }

  /** Replaces the fault and starts counting anew. */
  arm(fault: Fault | null): void {
    this.#fault = fault;
    this.#counted = 0;
  }

  async #call(method: DockerMethod, args: readonly unknown[], act: () => Promise<unknown>): Promise<unknown> {
    const call: DockerCall = { method, args, outcome: 'pending' };
    this.calls.push(call);
    const fault = this.#due(method);
    try {
      if (fault?.how === 'hang') {
        call.outcome = 'faulted';
        await hang(args.find((arg) => arg instanceof AbortSignal));
      }
      if (fault?.how === 'before') throw this.#raise(fault, call);
      const result = await act();
      if (fault?.how === 'after') throw this.#raise(fault, call);
      call.outcome = 'ok';
      return result;
    } catch (error) {
      if (call.outcome === 'pending') call.outcome = 'failed';
      throw error;
    }
  }

  #due(method: DockerMethod): Fault | null {
    const fault = this.#fault;
    if (fault === null || (fault.methods !== undefined && !fault.methods.includes(method))) return null;
    this.#counted += 1;
    const due = fault.span === 'from' ? this.#counted >= fault.at : this.#counted === fault.at;
    return due ? fault : null;
  }

  #raise(fault: Fault, call: DockerCall): Error {
    call.outcome = 'faulted';
    return fault.error?.() ?? new ForgeError({ code: 'DOCKER_AWAY', params: { why: `injected into ${call.method}` } });
  }
}

function hang(signal: AbortSignal | undefined): Promise<never> {
  return new Promise((_, reject) => {
    const abort = (): void => reject(new ForgeError({ code: 'CANCELLED', cause: signal?.reason }));
    if (signal?.aborted) abort();
    else signal?.addEventListener('abort', abort, { once: true });
  });
}
