// recovery: what a process does before and beside its work, so that an interrupted operation ends.
export { acquireHostLock, type HostLock } from './host-lock.ts';
export { HostStart, type HostFacts, type HostStartParts, type PartWord } from './host-start.ts';
export { probeDocker, type ProbeOptions } from './probe-docker.ts';
export { Reconciler, type ReconcilerParts } from './reconciler.ts';
