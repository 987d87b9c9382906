import { ArchiveOutput } from './archive-output.ts';
import { AttributeScan } from './attribute-scan.ts';
import type { CreateArchiveOptions, CreatedArchive } from './capture-request.ts';
import { openPartial, publish, pump, removePartial, withCapture } from './capture-run.ts';

/**
 * Captures volumes into one archive file. On any failure, abort included, the partial file is removed and no thread is left.
 *
 * @throws ForgeError `VOLUME_NOT_CAPTURABLE` (with `paths`), `INSUFFICIENT_SPACE`, `IO_ERROR`, `CANCELLED`
 */
export async function createArchive(options: CreateArchiveOptions): Promise<CreatedArchive> {
  return (await options.warm?.finish(options)) ?? (await capture(options));
}

async function capture(options: CreateArchiveOptions): Promise<CreatedArchive> {
  return withCapture(options, async (run) => {
    const attributes = new AttributeScan(run.volumes, options.signal);
    try {
      const handle = await openPartial(options.file);
      try {
        const out = new ArchiveOutput(handle, options);
        await out.manifest();
        await run.scanner.call('scanOpen', [run.volumes]);
        await pump(options, run, out);
        out.notes.addAll(await attributes.notes());
        const created = await out.finish();
        await publish(options, handle);
        return created;
      } catch (error) {
        await removePartial(options.file, handle);
        throw error;
      }
    } finally {
      await attributes.close();
    }
  });
}
