import type { ImportProfile } from '@tiny-forge/contracts/domain';

/** `TFE1`: how the trailer of an archive of ours begins, within its last bytes whatever the codec. */
const TRAILER = [0x54, 0x46, 0x45, 0x31];
const TAIL_BYTES = 1024;

/** What a file most likely is, by its last bytes; a guess for a form, never a check. */
export async function archiveKind(file: Blob): Promise<ImportProfile> {
  const tail = new Uint8Array(await file.slice(Math.max(0, file.size - TAIL_BYTES)).arrayBuffer());
  const found = tail.some((_byte, at) => TRAILER.every((wanted, offset) => tail[at + offset] === wanted));
  return found ? 'tiny-forge' : 'tar';
}
