import type { SourceTypePlugin } from '../source-type.ts';
import type { VolumeScopePlugin } from '../volume-scope.ts';

export interface PluginFault {
  /** Number of the call that fails, counting from 1. */
  readonly at: number;
  readonly error: () => Error;
}

/** A scope around another one whose n-th `resolve` fails. */
export function faultyVolumeScope(inner: VolumeScopePlugin, fault: PluginFault): VolumeScopePlugin {
  const count = counter(fault);
  return {
    ...inner,
    create() {
      const scope = inner.create();
      return {
        async resolve(volume, context) {
          count();
          return scope.resolve(volume, context);
        },
      };
    },
  };
}

/** A source type around another one whose n-th `quiesce` or `resume` fails, before its effect. */
export function faultySourceType(inner: SourceTypePlugin, fault: PluginFault): SourceTypePlugin {
  const count = counter(fault);
  return {
    ...inner,
    create() {
      const sourceType = inner.create();
      return {
        desired: (workload) => sourceType.desired(workload),
        async quiesce(session) {
          count();
          return sourceType.quiesce(session);
        },
        async resume(session, changed) {
          count();
          return sourceType.resume(session, changed);
        },
      };
    },
  };
}

function counter(fault: PluginFault): () => void {
  let calls = 0;
  return () => {
    calls += 1;
    if (calls === fault.at) throw fault.error();
  };
}
