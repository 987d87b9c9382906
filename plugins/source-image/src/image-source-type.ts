import { api } from '@tiny-forge/contracts';
import { defineSourceType, type QuiesceSession } from '@tiny-forge/plugin-api';

const RESUME_ATTEMPTS = 3;

export const imageSourceType = defineSourceType({
  id: 'image',
  apiVersion: 1,
  config: api.imageSource,
  create: () => ({
    desired(workload) {
      const { image, pull } = api.imageSource.parse(workload.source);
      return [
        {
          service: 'main',
          image,
          pull,
          env: workload.env,
          command: workload.command,
          ports: workload.ports,
          volumeTargets: workload.volumes.map((volume) => volume.target),
          stopTimeoutSeconds: workload.stopTimeoutSeconds,
        },
      ];
    },

    async quiesce(session) {
      const changed: string[] = [];
      try {
        for (const container of session.containers) {
          // In the list before the call: an answer that got lost must not leave it paused.
          if (needsStop(session, container.id)) {
            changed.push(container.id);
            await session.docker.stopContainer(container.id, session.stopTimeoutSeconds, session.signal);
          } else if (container.state === 'running') {
            changed.push(container.id);
            await session.docker.pauseContainer(container.id, session.signal);
          }
        }
        return changed;
      } catch (error) {
        await bringBack(session, changed);
        throw error;
      }
    },

    resume: bringBack,
  }),
});

/** A container in its restart loop cannot be paused and would start in the middle of the capture. */
function needsStop(session: QuiesceSession, id: string): boolean {
  const container = session.containers.find((candidate) => candidate.id === id);
  return session.mode === 'stop' || container?.state === 'restarting';
}

/** Without the session's signal: what was made still is brought back even when the capture was aborted. */
async function bringBack(session: QuiesceSession, changed: readonly string[]): Promise<void> {
  const failures: unknown[] = [];
  for (const id of changed) {
    for (let attempt = 1; ; attempt += 1) {
      try {
        if (needsStop(session, id)) await session.docker.startContainer(id);
        else await session.docker.unpauseContainer(id);
        break;
      } catch (error) {
        if (attempt === RESUME_ATTEMPTS) {
          failures.push(error);
          break;
        }
      }
    }
  }
  if (failures.length > 0) throw failures[0];
}
