import { interceptFsPort, type FsPort } from '../ports/fs-port.ts';

/** Tells every call and how it ended, one line each; bytes are told by their number. */
export function loggingFsPort(inner: FsPort, write: (line: string) => void): FsPort {
  return interceptFsPort(inner, async (call, proceed) => {
    const shown = call.args.map((arg) => (arg instanceof Uint8Array ? `<${arg.length} bytes>` : String(arg))).join(' ');
    try {
      const answer = await proceed();
      write(`${call.number} ${call.name} ${shown}`);
      return answer;
    } catch (error) {
      write(`${call.number} ${call.name} ${shown}: ${String((error as NodeJS.ErrnoException).code)}`);
      throw error;
    }
  });
}
