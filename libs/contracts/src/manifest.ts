import { z } from 'zod';
import { QUIESCE_MODES } from './words.ts';

/** `manifest.json` at the root of an archive (DESIGN.md 1 and 5). Says what was captured, never where to write (I1). */
export const manifestVolume = z.strictObject({
  index: z.int().min(0).max(63),
  target: z.string().min(1).max(4096),
  scope: z.string().min(1).max(64),
  source: z.string().min(1).max(4096),
  absent: z.boolean().optional(),
  links: z.union([z.literal(0), z.literal(1), z.literal(2)]).optional(),
});
export const manifest = z.strictObject({
  formatVersion: z.literal(1),
  quiesce: z.enum(QUIESCE_MODES),
  volumes: z.array(manifestVolume).max(64),
});
export type Manifest = z.infer<typeof manifest>;
export type ManifestVolume = z.infer<typeof manifestVolume>;
