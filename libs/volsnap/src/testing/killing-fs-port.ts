import { interceptFsPort, type FsPort } from '../ports/fs-port.ts';

/** Kills this very process, without a chance to clean up, before or after call number `at`. Only for children that a test made. */
export function killingFsPort(inner: FsPort, kill: { readonly at: number; readonly when: 'before' | 'after' }): FsPort {
  const die = (): Promise<never> => {
    process.kill(process.pid, 'SIGKILL');
    return new Promise(() => undefined);
  };
  return interceptFsPort(inner, async (call, proceed) => {
    if (call.number !== kill.at) return proceed();
    if (kill.when === 'before') return die();
    await proceed();
    return die();
  });
}
