import type { Workload } from '@tiny-forge/contracts/domain';

/** Where the app itself answers, seen from this browser: its first published port on the host this page came from. */
export function appUrl(workload: Workload): string | undefined {
  for (const instance of workload.status.instances) {
    const port = instance.ports.find((item) => item.published !== null && item.protocol === 'tcp');
    if (port?.published != null && instance.state === 'running')
      return `http://${location.hostname}:${String(port.published)}/`;
  }
  return undefined;
}
