import type { ContainerState } from '@tiny-forge/docker';

/** Why a workload is deployed. `restore`, `undo` and `resume` come from inside a restore. */
export type DeployCause = 'deploy' | 'start' | 'restore' | 'resume' | 'undo';

export interface PlannedService {
  readonly service: string;
  readonly imageId: string;
  readonly specHash: string;
}

/** A container with role `instance` of this workload, as found. */
export interface ExistingInstance extends PlannedService {
  readonly id: string;
  readonly state: ContainerState;
  readonly restartPolicy: string;
  /** Operation that made it. */
  readonly operationId: string;
  /** What it was made to replace. */
  readonly replaces: readonly string[];
  /** Whether it passed a probe just now; false for what does not run. */
  readonly healthy: boolean;
}

export interface DeployPlanInput {
  readonly cause: DeployCause;
  readonly strategy: 'recreate' | 'blue-green';
  readonly operationId: string;
  readonly restartPolicy: 'unless-stopped' | 'no';
  readonly desired: readonly PlannedService[];
  readonly existing: readonly ExistingInstance[];
}

export type DeployAction =
  | { readonly do: 'create'; readonly service: string; readonly replaces: readonly string[] }
  | { readonly do: 'remove'; readonly id: string }
  | { readonly do: 'stop'; readonly id: string }
  | { readonly do: 'start-new'; readonly service: string }
  | { readonly do: 'start-existing'; readonly service: string; readonly id: string }
  | { readonly do: 'set-policy'; readonly id: string; readonly policy: 'unless-stopped' | 'no' }
  | { readonly do: 'gate'; readonly service: string };

export interface DeployPlan {
  /** false: the very same thing already runs and is healthy. */
  readonly changed: boolean;
  /** Containers that stay and serve, by service. */
  readonly keep: Readonly<Record<string, string>>;
  /** In order. A failure in here is undone by `undo`. */
  readonly actions: readonly DeployAction[];
  /** After the gate, in order: never undone, only repeated, because what serves is the new version. */
  readonly afterwards: readonly DeployAction[];
  /** What a failure in `actions` leads to, in this order. */
  readonly undo: {
    /** Remove containers this operation created. `unstarted`: only those that never ran. */
    readonly remove: 'created' | 'unstarted';
    /** Existing containers that this plan starts and an undo stops again. */
    readonly stop: readonly string[];
    /** Old containers that ran and run again after a failure. */
    readonly start: readonly string[];
  };
}

const UP: readonly ContainerState[] = ['running', 'paused', 'restarting'];
export const isUp = (container: { readonly state: ContainerState }): boolean => UP.includes(container.state);

/** From what is wanted and what is there to what is done. Pure. */
export function planDeploy(input: DeployPlanInput): DeployPlan {
  return planKeeping(input) ?? planStartingAgain(input) ?? planReplacing(input);
}

const insideRestore = (cause: DeployCause): boolean => cause === 'restore' || cause === 'undo' || cause === 'resume';

const sameThing = (left: PlannedService, right: PlannedService): boolean =>
  left.service === right.service && left.imageId === right.imageId && left.specHash === right.specHash;

/** One container a service, or null when a service has none or several. */
function matchEach(
  desired: readonly PlannedService[],
  candidates: readonly ExistingInstance[],
): readonly ExistingInstance[] | null {
  const matches = desired.map((want) => candidates.filter((candidate) => sameThing(candidate, want)));
  return matches.every((found) => found.length === 1) ? matches.flat() : null;
}

/** The very same thing runs and is healthy: outside a restore whoever made it, inside only what this operation made itself. */
function planKeeping(input: DeployPlanInput): DeployPlan | null {
  const { cause, operationId, desired, existing } = input;
  const own = existing.filter((container) => container.operationId === operationId);
  const candidates = (insideRestore(cause) ? own : existing).filter(
    (container) => container.state === 'running' && container.healthy,
  );
  const kept = matchEach(desired, candidates);
  if (kept === null) return null;
  const others = existing.filter((container) => !kept.includes(container));
  // Another one that runs is a second writer: replacing everything is the plan that knows what to do.
  if (
    others.some((container) => isUp(container) && container.operationId !== operationId) &&
    !kept.every((one) => own.includes(one))
  ) {
    return null;
  }
  return {
    changed: kept.some((container) => own.includes(container)),
    keep: Object.fromEntries(kept.map((container) => [container.service, container.id])),
    actions: [],
    afterwards: [
      ...policies(kept, input.restartPolicy),
      ...others.filter(isUp).map(({ id }) => ({ do: 'stop', id }) as const),
      ...others.map(({ id }) => ({ do: 'remove', id }) as const),
    ],
    undo: { remove: 'created', stop: [], start: [] },
  };
}

/** The very same thing is there and was stopped: it is started as it is. */
function planStartingAgain(input: DeployPlanInput): DeployPlan | null {
  const { cause, operationId, desired, existing } = input;
  if (insideRestore(cause) || existing.some(isUp)) return null;
  const again = matchEach(
    desired,
    existing.filter((container) => container.state === 'exited' && container.operationId !== operationId),
  );
  if (again === null) return null;
  const others = existing.filter((container) => !again.includes(container));
  // A newer container of this operation means: an earlier attempt already replaced it.
  if (others.some((container) => container.operationId === operationId)) return null;
  return {
    changed: true,
    keep: Object.fromEntries(again.map((container) => [container.service, container.id])),
    actions: [
      ...policies(again, input.restartPolicy),
      ...again.map(({ service, id }) => ({ do: 'start-existing', service, id }) as const),
      ...again.map(({ service }) => ({ do: 'gate', service }) as const),
    ],
    afterwards: others.map(({ id }) => ({ do: 'remove', id }) as const),
    undo: { remove: 'created', stop: again.map(({ id }) => id), start: [] },
  };
}

function planReplacing(input: DeployPlanInput): DeployPlan {
  const { cause, operationId, desired, existing } = input;
  const inside = insideRestore(cause);
  const isLeftover = (container: ExistingInstance): boolean =>
    container.operationId === operationId || container.state === 'created' || container.state === 'dead';
  const leftovers = existing.filter(isLeftover);
  const old = existing.filter((container) => !isLeftover(container));
  // An earlier attempt of this operation may have stopped what ran: only its label still tells.
  const inherited = new Set(leftovers.filter((one) => one.operationId === operationId).flatMap((one) => one.replaces));
  const ran = old.filter((container) => isUp(container) || inherited.has(container.id)).map(({ id }) => id);

  const create = desired.map(({ service }) => ({ do: 'create', service, replaces: ran }) as const);
  // Stopped first where it runs: it may be writing.
  const drop = leftovers.flatMap((container): DeployAction[] => [
    ...(isUp(container) ? [{ do: 'stop', id: container.id } as const] : []),
    { do: 'remove', id: container.id },
  ]);
  const stop = old.filter(isUp).map(({ id }) => ({ do: 'stop', id }) as const);
  const start = desired.map(({ service }) => ({ do: 'start-new', service }) as const);
  const gate = desired.map(({ service }) => ({ do: 'gate', service }) as const);
  const reap = old.map(({ id }) => ({ do: 'remove', id }) as const);
  const sideBySide = input.strategy === 'blue-green' && !inside;
  return {
    changed: true,
    keep: {},
    actions: sideBySide ? [...create, ...drop, ...start, ...gate] : [...create, ...drop, ...stop, ...start, ...gate],
    afterwards: sideBySide ? [...stop, ...reap] : reap,
    undo: {
      // `resume` brings back an app that may have been unhealthy before: it stays up for a person to look at.
      remove: cause === 'resume' ? 'unstarted' : 'created',
      stop: [],
      // Inside a restore the old version would run on the new data: whether it starts is the restore's undo to decide (I5).
      start: inside ? [] : ran,
    },
  };
}

const policies = (
  containers: readonly ExistingInstance[],
  policy: 'unless-stopped' | 'no',
): Extract<DeployAction, { do: 'set-policy' }>[] =>
  containers
    .filter((container) => container.restartPolicy !== policy)
    .map(({ id }) => ({ do: 'set-policy', id, policy }) as const);
