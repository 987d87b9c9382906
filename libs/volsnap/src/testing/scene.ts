import { execFile } from 'node:child_process';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, beforeEach, expect } from '@jest/globals';
import { testDocker, type TestDocker } from '@tiny-forge/docker/testing';
import { NodeFsPort } from '../ports/node-fs-port.ts';
import type { CaptureResult, FrozenPlan, RestoreEngine } from '../restore-engine.ts';
import { fsWithout } from './failing-fs-port.ts';
import { fakePlugins } from './fake-plugins.ts';
import { jsonArchive, jsonArchivePort as archive } from './json-archive-port.ts';
import { quietContext, RestoreHouse } from './restore-house.ts';

export const run = promisify(execFile);
export const signal: AbortSignal = new AbortController().signal;

/** A house for each test of a file, with quick archives. Its members change with every test: use them as `scene.house`. */
export class Scene {
  test!: TestDocker;
  image!: string;
  house!: RestoreHouse;
  engine!: RestoreEngine;

  constructor() {
    beforeAll(async () => {
      this.test = testDocker();
      this.image = (await this.test.image()).tag;
    });
    afterAll(() => this.test.cleanUp());
    beforeEach(async () => {
      const { installation } = this.test;
      this.house = await RestoreHouse.build(this.test.docker, {
        installation,
        image: this.image,
        plugins: fakePlugins,
      });
      // With a port of its own: one that lives on would know a device by the file system that an earlier test had on it.
      this.engine = this.house.engine({ archive: jsonArchive(new NodeFsPort()) });
    });
    afterEach(async () => {
      await this.house.removeContainers();
      await this.house.remove();
    });
  }

  capture(): Promise<CaptureResult> {
    return this.house.capture({}, this.house.capturer({ archive }));
  }

  at(name: string): string {
    return path.join(this.house.volumes, name);
  }

  /** What a refused restore must leave as it was: every name below the volumes with inode, time, mode and target. */
  async picture(): Promise<string> {
    return (await run('find', [this.house.volumes, '-printf', '%p %i %T@ %m %y %l\n'])).stdout;
  }

  /** The transaction is decided and `renames` have happened, none by default; the next one fails. */
  async stuckAtCommit(plan: FrozenPlan, renames = 0): Promise<void> {
    const fs = fsWithout('rename', renames);
    const dying = this.house.engine({ archive: jsonArchive(fs), fs });
    await expect(dying.swap(plan, quietContext())).rejects.toMatchObject({ code: 'IO_ERROR' });
    expect((await this.engine.status(plan.operationId))?.record).toBe('COMMIT');
  }

  /** The only open journal: full path. */
  async journal(): Promise<string> {
    const folder = path.join(this.house.dataDir, 'journal');
    const names = (await readdir(folder)).filter((name) => name.endsWith('.journal'));
    expect(names).toHaveLength(1);
    return path.join(folder, names[0] as string);
  }

  /** One bit of the first record of `type` in the only open journal turns, as a medium that forgets would do it. @returns its name */
  async damageJournal(type: string): Promise<string> {
    const file = await this.journal();
    const bytes = await readFile(file);
    const at = bytes.indexOf(`"type":"${type}"`);
    expect(at).toBeGreaterThan(0);
    bytes[at + 9]! ^= 1;
    await writeFile(file, bytes);
    return path.basename(file);
  }

  /** A running container of nobody's that mounts one volume. */
  async startForeign(volume: string): Promise<string> {
    const mounts = [{ source: this.at(volume), target: '/d', readOnly: false }];
    const { id } = await this.test.docker.createContainer(this.test.spec(this.image, { mounts, network: 'none' }));
    await this.test.docker.startContainer(id);
    return id;
  }
}
