import path from 'node:path';
import type { Operation, RestorePlan, Snapshot, Workload } from '@tiny-forge/contracts/domain';
import { LABELS } from '@tiny-forge/contracts/domain';
import { loadAppImage } from './app-image.ts';
import type { ContainerDetail } from './docker-engine.ts';
import { generationsIn, leftovers, writeGeneration } from './generations.ts';
import type { Answer } from './http-client.ts';
import type { Stack } from './stack.ts';

export interface Accepted {
  readonly operationId: string;
  readonly snapshotId?: string;
  readonly queuedBehind?: string;
}

let count = 0;

/** A workload with one volume of each scope, deployed from an image of its own. */
export class TestWorkload {
  readonly stack: Stack;
  readonly id: string;
  readonly image: string;
  readonly imageId: string;
  readonly directories: readonly string[];

  private constructor(stack: Stack, workload: Workload, image: string, imageId: string) {
    this.stack = stack;
    this.id = workload.id;
    this.image = image;
    this.imageId = imageId;
    this.directories = workload.volumes.map((volume) => volume.hostPath ?? '');
  }

  /** @param overrides fields of the workload that differ */
  static async create(stack: Stack, overrides: Record<string, unknown> = {}): Promise<TestWorkload> {
    count += 1;
    const name = `app-${process.pid}-${count}`;
    const image = `tf-e2e-${process.pid}-${count}:1`;
    const imageId = await loadAppImage(stack.docker, image);
    stack.images.push(imageId);
    const files = path.join(stack.root, name, 'files');
    writeGeneration(files, 'empty', { files: 1 });
    const created = await stack.api.post<Workload>('/api/workloads', {
      name,
      project: 'e2e',
      stage: 'test',
      source: { type: 'image', image, pull: 'never' },
      volumes: [
        { scope: 'stage', source: 'data', target: '/data' },
        { scope: 'project', source: 'shared', target: '/shared' },
        { scope: 'absolute', source: files, target: '/files' },
      ],
      health: { type: 'http', port: 8080, path: '/cgi-bin/health', timeoutSeconds: 5, intervalSeconds: 1 },
      stopTimeoutSeconds: 5,
      ...overrides,
    });
    if (created.status !== 201) throw new Error(`workload: ${created.status} ${created.text}`);
    return new TestWorkload(stack, created.body, image, imageId);
  }

  /** Deployed and healthy, with a READY snapshot of generation `snap`, live generation `live`. */
  static async withSnapshot(
    stack: Stack,
    overrides: Record<string, unknown> = {},
    size: { files?: number; bytesPerFile?: number } = {},
  ): Promise<{ app: TestWorkload; snapshotId: string }> {
    const app = await TestWorkload.create(stack, overrides);
    app.write('snap', size);
    await app.deploy();
    const snapshotId = await app.snapshot();
    app.write('live', size);
    return { app, snapshotId };
  }

  get path(): string {
    return `/api/workloads/${this.id}`;
  }

  get parents(): string[] {
    return this.directories.map((directory) => path.dirname(directory));
  }

  /** Replaces the content of the volumes in place: the directories themselves stay what the app has mounted. */
  write(token: string, options: { files?: number; bytesPerFile?: number } = {}): void {
    for (const directory of this.directories) writeGeneration(directory, token, options);
  }

  generations(): string[] {
    return [...new Set(this.directories.flatMap((directory) => generationsIn(directory)))].sort();
  }

  leftovers(): string[] {
    return leftovers(this.parents);
  }

  async deploy(): Promise<Operation> {
    return this.done(await this.stack.api.post<Accepted>(`${this.path}/deploy`), 'SUCCEEDED');
  }

  async snapshot(body: object = {}): Promise<string> {
    const answer = await this.stack.api.post<Accepted>(`${this.path}/snapshots`, body);
    await this.done(answer, 'SUCCEEDED');
    return answer.body.snapshotId ?? '';
  }

  async snapshots(): Promise<Snapshot[]> {
    return (await this.stack.api.get<{ items: Snapshot[] }>(`${this.path}/snapshots`)).body.items;
  }

  plan(snapshotId: string, query = ''): Promise<Answer<RestorePlan>> {
    return this.stack.api.get<RestorePlan>(`${this.path}/snapshots/${snapshotId}/plan${query}`, { timeoutMs: 60_000 });
  }

  restore(
    snapshotId: string,
    body: object | undefined = undefined,
    headers: Record<string, string> = {},
  ): Promise<Answer<Accepted>> {
    return this.stack.api.post<Accepted>(`${this.path}/snapshots/${snapshotId}/restore`, body, {
      headers: { 'x-confirm-restore': snapshotId, ...headers },
    });
  }

  /** @throws unless the answer was 202 and the operation ended in this state */
  async done(answer: Answer<Accepted>, state: Operation['state'], timeoutMs = 60_000): Promise<Operation> {
    if (answer.status !== 202) throw new Error(`expected 202, got ${answer.status} ${answer.text}`);
    const operation = await this.stack.until(answer.body.operationId, undefined, undefined, timeoutMs);
    if (operation.state !== state) {
      throw new Error(`expected ${state}, got ${operation.state} ${JSON.stringify(operation.error)}`);
    }
    return operation;
  }

  /** Instances of the workload: containers of ours that run or may run, without holders and probes. */
  async instances(): Promise<ContainerDetail[]> {
    const found = await this.stack.containers(this.id);
    const instances = found.filter((container) => container.Labels[LABELS.role] === 'instance');
    return Promise.all(instances.map((container) => this.stack.docker.inspect(container.Id)));
  }

  async running(): Promise<ContainerDetail> {
    const running = (await this.instances()).filter((container) => container.State.Running);
    if (running.length !== 1) throw new Error(`expected one running instance, found ${running.length}`);
    return running[0] as ContainerDetail;
  }
}
