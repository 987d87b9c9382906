export { escapeName } from './byte-string.ts';
export {
  browseArchive,
  type ArchiveContent,
  type BrowseArchiveOptions,
  type BrowsedArchive,
  type ContentOptions,
  type EntryAddress,
  type FolderPage,
} from './browse-archive.ts';
export { type Codec } from './codec.ts';
export {
  type CapturedVolume,
  type CreateArchiveOptions,
  type CreatedArchive,
  type WarmArchive,
} from './capture-request.ts';
export { createArchive } from './create-archive.ts';
export { type EntryType } from './entry.ts';
export {
  checkTar,
  extractTar,
  listTar,
  type CheckTarOptions,
  type ExtractTarOptions,
  type ImportLimits,
} from './extract-tar.ts';
export { extractVolumes, type ExtractVolumesOptions, type ExtractedVolume, type Fidelity } from './extract-volumes.ts';
export {
  importArchive,
  type ImportArchiveOptions,
  type ImportedArchive,
  type ImportedContent,
  type ImportProfile,
} from './import-archive.ts';
export { loadOrCreateKey } from './installation-key.ts';
export { type LinkTier } from './link-policy.ts';
export { type TreeMeasure } from './measure-task.ts';
export { type Note, type NoteCode } from './note.ts';
export { readEntries, readIndex, type ArchiveEntry, type ArchiveIndex } from './read-index.ts';
export { type TreeIdentity } from './remove-task.ts';
export { receiveArchive, type ReceiveArchiveOptions, type ReceivedArchive } from './receive-archive.ts';
export { type SpaceRule } from './space-watch.ts';
export { type TimeLimits } from './time-limits.ts';
export { endRestingThreads } from './thread-crew.ts';
export { measureTree, removeTree, type MeasureTreeOptions, type RemoveTreeOptions } from './trees.ts';
export { verifyArchive, type VerifiedArchive, type VerifyArchiveOptions } from './verify-archive.ts';
export { warmArchive, type WarmRules } from './warm-archive.ts';
