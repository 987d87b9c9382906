import crypto from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { Problem } from '@tiny-forge/contracts/domain';
import { archiveOf, repack, rewrite } from '../harness/archives.ts';
import type { Answer } from '../harness/http-client.ts';
import { Stack } from '../harness/stack.ts';
import { TestWorkload, type Accepted } from '../harness/test-workload.ts';
import { expectRestored, expectUntouched } from '../harness/untouched.ts';

describe.each(['zstd', 'gzip'] as const)('bad input: an archive on disk that is not what was written (%s)', (codec) => {
  let stack: Stack;
  let app: TestWorkload;
  let snapshotId: string;
  let file: string;
  let good: Buffer;

  beforeAll(async () => {
    stack = await Stack.start({ env: { TINY_FORGE_CODEC: codec } });
    app = await TestWorkload.create(stack);
    app.write('snap', { files: 30, bytesPerFile: 40_000 });
    await app.deploy();
    snapshotId = await app.snapshot();
    app.write('live');
    file = archiveOf(stack.dataDir, snapshotId);
    good = fs.readFileSync(file);
  });
  afterAll(() => stack.destroy());
  beforeEach(() => rewrite(file, () => good));

  /** The restore is refused or fails before its first effect, with one of these codes; the app never noticed. */
  async function neverStopped(codes: readonly string[] = ['ARCHIVE_DAMAGED', 'ARCHIVE_TAMPERED']): Promise<void> {
    await expectUntouched(app, async () => {
      const answer = (await app.restore(snapshotId)) as Answer<Accepted & Problem>;
      if (answer.status === 422) {
        expect(codes).toContain(answer.body.blockers?.[0]?.code);
        return;
      }
      const operation = await app.done(answer, 'FAILED');
      expect(codes.some((code) => JSON.stringify(operation.error).includes(code)) ? codes : operation.error).toEqual(
        codes,
      );
      expect(operation.steps.slice(2).map((step) => step.state)).toEqual(Array(5).fill('PENDING'));
      expect(operation.situation).toMatchObject({ app: 'running', data: 'current' });
    });
  }

  it.each([
    ['to nothing', 0],
    ['in the middle', 0.5],
    ['by its last byte', -1],
  ])('truncated %s: the app is never stopped', async (_name, cut) => {
    rewrite(file, (bytes) => bytes.subarray(0, cut < 0 ? bytes.length + cut : Math.floor(bytes.length * cut)));
    await neverStopped();
  });

  it.each([
    ['at its start', 0.001],
    ['in its middle', 0.5],
    ['near its end', 0.999],
  ])('one bit flipped %s: the app is never stopped', async (_name, place) => {
    rewrite(file, (bytes) => {
      const changed = Buffer.from(bytes);
      const at = Math.floor(changed.length * place);
      changed[at] = (changed[at] ?? 0) ^ 0x10;
      return changed;
    });
    await neverStopped();
  });

  const edit = (): void =>
    repack(file, codec === 'gzip' ? '--gzip' : '--zstd', (folder) => {
      const manifest = path.join(folder, 'manifest.json');
      const text = fs.readFileSync(manifest, 'utf8');
      expect(text).toContain('/files');
      fs.writeFileSync(manifest, text.replaceAll(app.directories[2] ?? '', path.join(stack.root, 'victim')));
    });

  it('manifest edited to name another path: nothing is written there, the app is never stopped', async () => {
    edit();
    await neverStopped();
    expect(fs.existsSync(path.join(stack.root, 'victim'))).toBe(false);
  });

  it('manifest edited and the hash in the database made to fit: the key of the installation still tells', async () => {
    edit();
    const hash = crypto.createHash('sha256').update(fs.readFileSync(file)).digest('hex');
    const database = new DatabaseSync(path.join(stack.dataDir, stack.databaseName), { timeout: 5_000 });
    const [before] = stack.query<{ archive_sha256: string }>(
      'select archive_sha256 from snapshots where id = ?',
      snapshotId,
    );
    const set = database.prepare('update snapshots set archive_sha256 = ?, bytes = ? where id = ?');
    try {
      set.run(hash, fs.statSync(file).size, snapshotId);
      await neverStopped();
      expect(fs.existsSync(path.join(stack.root, 'victim'))).toBe(false);
    } finally {
      set.run(before?.archive_sha256 ?? '', good.length, snapshotId);
      database.close();
    }
  });

  it('gone: the app is never stopped', async () => {
    fs.renameSync(file, `${file}.away`);
    await neverStopped(['ARCHIVE_MISSING']);
    fs.renameSync(`${file}.away`, file);
  });

  it('put back as it was: restores', async () => {
    await app.done(await app.restore(snapshotId), 'SUCCEEDED');
    await expectRestored(app);
  });
});
