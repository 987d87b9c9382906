import { FS_READS, interceptFsPort, type FsCall, type FsPort } from '../ports/fs-port.ts';

/** Counts the calls of the port it stands before. */
export class CountingFsPort {
  readonly calls: FsCall[] = [];
  readonly port: FsPort;

  constructor(inner: FsPort) {
    this.port = interceptFsPort(inner, (call, proceed) => {
      this.calls.push(call);
      return proceed();
    });
  }

  get count(): number {
    return this.calls.length;
  }

  /** Numbers of the calls that change something. */
  get effects(): number[] {
    return this.calls.filter((call) => !FS_READS.includes(call.name)).map((call) => call.number);
  }
}
