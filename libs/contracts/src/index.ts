// contracts: the words, schemas and errors that every room shares. Any runtime, no I/O.
export * from './domain.ts';
export * as api from './api.ts';
export { manifest as manifestSchema, manifestVolume as manifestVolumeSchema } from './manifest.ts';
