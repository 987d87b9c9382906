// plugin-api: contracts of volume scopes and source types, and the registry. Plugins import this room and those below, nothing else.
export { PluginRegistry, type Plugin } from './registry.ts';
export { resolveVolumes, type WorkloadVolume } from './resolve-volumes.ts';
export {
  defineSourceType,
  type DesiredContainer,
  type QuiesceSession,
  type SourceType,
  type SourceTypePlugin,
  type SourceWorkload,
} from './source-type.ts';
export {
  defineVolumeScope,
  type ResolvedVolume,
  type ScopeCapabilities,
  type ScopeContext,
  type VolumeScope,
  type VolumeScopePlugin,
} from './volume-scope.ts';
