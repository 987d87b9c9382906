import { isForgeError, LABELS } from '@tiny-forge/contracts/domain';
import { RequestError } from '../http/problem.ts';
import type { Parts } from '../parts.ts';

/** The last lines of the container that runs, else of the newest one. @throws SERVICE_UNAVAILABLE when Docker is away */
export async function logLines(
  { docker, installation }: Parts,
  workloadId: string,
  tail: number,
): Promise<{ readonly containerId: string | null; readonly lines: readonly string[] }> {
  try {
    const found = await docker.listContainers({
      [LABELS.installation]: installation,
      [LABELS.workload]: workloadId,
      [LABELS.role]: 'instance',
    });
    const newest = [...found].sort((a, b) => b.createdAt.getTime() - a.createdAt.getTime());
    const container = newest.find((each) => each.state === 'running') ?? newest[0];
    const text = container ? await docker.logs(container.id, tail) : null;
    if (!container || text === null) return { containerId: null, lines: [] };
    const lines = text.split(/\r?\n/);
    if (lines.at(-1) === '') lines.pop();
    return { containerId: container.id, lines: lines.map(withoutControls) };
  } catch (error) {
    if (isForgeError(error) && error.code === 'DOCKER_AWAY') {
      throw new RequestError('SERVICE_UNAVAILABLE', { part: 'docker' }, { cause: error });
    }
    throw error;
  }
}

/** Colours and cursor moves go, other control characters become visible (I11). */
const withoutControls = (line: string): string =>
  line

    .replace(/\u001b\[[0-9;?]*[A-Za-z]/g, '')

    .replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, '\ufffd');
