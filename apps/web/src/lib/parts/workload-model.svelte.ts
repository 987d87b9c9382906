import type { Operation, Snapshot, Workload } from '@tiny-forge/contracts/domain';
import { getContext, setContext } from 'svelte';
import { type Page, operations, snapshots, workloads } from '../api/calls.ts';
import { feed } from '../live/feed.svelte.ts';
import { operationStore } from '../state/operations.svelte.ts';
import { Resource } from '../state/resource.svelte.ts';

/** One workload as its pages need it: itself, its snapshots, its last operations; kept live. */
export class WorkloadModel {
  readonly id: string;
  readonly workload: Resource<{ readonly workload: Workload; readonly etag: string | null }>;
  readonly snapshots: Resource<Page<Snapshot>>;
  readonly operations: Resource<Page<Operation>>;
  readonly open = $derived.by(() => operationStore.openOf(this.id));

  constructor(id: string) {
    this.id = id;
    this.workload = new Resource(async () => {
      const { data, etag } = await workloads.get(id);
      return { workload: data, etag };
    });
    this.snapshots = new Resource(() => snapshots.list(id));
    this.operations = new Resource(async () => {
      const page = await operations.list({ workloadId: id, limit: '8' });
      for (const operation of page.items) operationStore.accept(operation);
      return page;
    });
  }

  start(): () => void {
    const all = [this.workload, this.snapshots, this.operations];
    const reload = () => {
      for (const resource of all) resource.soon();
    };
    for (const resource of all) void resource.load();
    const states = new Map<string, string>();
    const stops = [
      feed.onSync(reload),
      feed.onWorkload((event) => {
        if (event.id === this.id) this.workload.soon();
      }),
      feed.onOperation((operation) => {
        if (operation.workloadId !== this.id) return;
        // Bytes change each second, states seldom; only the latter change what is listed.
        if (states.get(operation.id) === operation.state) return;
        states.set(operation.id, operation.state);
        reload();
      }),
    ];
    return () => {
      for (const stop of stops) stop();
      for (const resource of all) resource.drop();
    };
  }

  async moreSnapshots(): Promise<void> {
    const page = this.snapshots.data;
    if (page?.nextCursor == null) return;
    const next = await snapshots.list(this.id, page.nextCursor);
    this.snapshots.data = { items: [...page.items, ...next.items], nextCursor: next.nextCursor };
  }
}

const KEY = Symbol('workload');
export const provideWorkload = (model: () => WorkloadModel): void => void setContext(KEY, model);
export const useWorkload = (): WorkloadModel => getContext<() => WorkloadModel>(KEY)();
