// volsnap: captures volumes into archives and restores them as one transaction. DESIGN.md beside this room holds format, protocol and threat model.
export { createCaptureEngine, type CaptureEngineOptions } from './capture/create-capture-engine.ts';
export { createRestoreEngine, type RestoreEngineOptions } from './create-restore-engine.ts';
export type { HealthOf } from './engine-parts.ts';
export type { Clock, EngineLog } from './environment.ts';
export { WorkloadMutex } from './host-mutex.ts';
export { createImportEngine, type ImportEngineOptions } from './import/create-import-engine.ts';
export type * from './import/import-engine.ts';
export { txIdOf } from './journal/journal-name.ts';
export { archiveSafePort } from './ports/archive-safe-port.ts';
export type { ArchivePort } from './ports/archive-port.ts';
export type { FsPort } from './ports/fs-port.ts';
export { NodeFsPort } from './ports/node-fs-port.ts';
export type * from './restore-engine.ts';
