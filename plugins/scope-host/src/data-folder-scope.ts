import path from 'node:path';
import { z } from 'zod';
import { ForgeError } from '@tiny-forge/contracts/domain';
import { defineVolumeScope, type VolumeScopePlugin } from '@tiny-forge/plugin-api';

const COMPONENT = /^[A-Za-z0-9._-]{1,64}$/;

const component = z
  .string()
  .regex(COMPONENT, 'one name of 1 to 64 letters, digits, dots, underscores and hyphens')
  .refine((value) => value !== '.' && value !== '..', 'a name, not . or ..');

/** `<data>/volumes/<scope>/<workloadId>/<source>`. With the id, never the name: a renamed or recreated workload must not find another's data. */
function dataFolderScope(id: 'stage' | 'project'): VolumeScopePlugin {
  const capabilities = { captured: true, createsDirectory: true, deletable: true };
  return defineVolumeScope({
    id,
    apiVersion: 1,
    source: component,
    capabilities,
    create: () => ({
      async resolve(volume, context) {
        for (const name of [volume.source, context.workloadId]) {
          const checked = component.safeParse(name);
          if (!checked.success) {
            const why = checked.error.issues[0]?.message ?? 'not one name';
            throw new ForgeError({ code: 'VOLUME_PATH_UNSAFE', params: { path: name, why } });
          }
        }
        const parent = path.join(context.dataDir, 'volumes', id, context.workloadId);
        return { hostPath: path.join(parent, volume.source), parent, base: context.dataDir, capabilities };
      },
    }),
  });
}

export const stageScope = dataFolderScope('stage');
/** Per workload for now; sharing between workloads comes with a scope of its own. */
export const projectScope = dataFolderScope('project');
