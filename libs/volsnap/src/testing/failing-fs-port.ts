import { interceptFsPort, type FsCall, type FsPort } from '../ports/fs-port.ts';
import { NodeFsPort } from '../ports/node-fs-port.ts';

export interface FsFault {
  /** Number of the call, from 1. */
  readonly at: number;
  /** `before`: nothing happened; `after`: it happened and the answer is an error all the same. */
  readonly how: 'before' | 'after';
  /** EIO, ENOSPC, ... */
  readonly code: string;
  /** `once`: this call alone; `from`: every later one too. Default `once`. */
  readonly span?: 'once' | 'from';
}

/** Makes one call of the port fail as the kernel would. */
export class FailingFsPort {
  readonly port: FsPort;
  /** The calls that were made to fail. */
  readonly failed: FsCall[] = [];
  #armed = true;

  constructor(inner: FsPort, fault: FsFault) {
    this.port = interceptFsPort(inner, async (call, proceed) => {
      if (!this.#armed) return proceed();
      if (call.number !== fault.at && !(fault.span === 'from' && call.number > fault.at)) return proceed();
      this.failed.push(call);
      if (fault.how === 'after') await proceed();
      throw Object.assign(new Error(`${fault.code}: injected, ${call.name}`), { code: fault.code });
    });
  }

  /** From now on every call goes through. */
  disarm(): void {
    this.#armed = false;
  }
}

/** The real file system, on which calls of this name fail with EIO once `passing` of them went through. */
export function fsWithout(name: FsCall['name'], passing = 0): FsPort {
  let calls = 0;
  return interceptFsPort(new NodeFsPort(), async (call, proceed) => {
    if (call.name === name && ++calls > passing) throw Object.assign(new Error('EIO: injected'), { code: 'EIO' });
    return proceed();
  });
}
