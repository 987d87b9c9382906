import { Worker } from '@temporalio/worker';

export type ReplayVerdict =
  | { readonly deterministic: true; readonly workflowType: string; readonly events: number }
  | {
      readonly deterministic: false;
      readonly workflowType: string;
      /** The event that today's code does not lead to; null where the SDK names a step that the history has several times, or none. */
      readonly eventId: string | null;
      /** What that event is about: the name of the step or timer. */
      readonly step: string | null;
      readonly message: string;
    };

interface HistoryEvent {
  readonly eventId: string;
  readonly eventType: string;
  readonly [attributes: string]: unknown;
}

/** A history in Temporal's JSON form. @throws when it is none */
export function parseHistory(json: unknown): { readonly events: readonly HistoryEvent[] } {
  const events = (json as { events?: unknown } | null)?.events;
  if (!Array.isArray(events) || events.length === 0) throw new Error('not a Temporal history: it has no events');
  return json as { readonly events: readonly HistoryEvent[] };
}

/**
 * Runs a real history through the given workflow code.
 * @throws what is wrong with the history itself
 */
export async function replayHistory(bundle: { readonly code: string }, json: unknown): Promise<ReplayVerdict> {
  const history = parseHistory(json);
  const started = history.events[0]?.['workflowExecutionStartedEventAttributes'] as
    { readonly workflowType?: { readonly name?: string }; readonly workflowId?: string } | undefined;
  const workflowType = started?.workflowType?.name ?? 'unknown';
  try {
    await Worker.runReplayHistory({ workflowBundle: bundle }, json, started?.workflowId);
    return { deterministic: true, workflowType, events: history.events.length };
  } catch (error) {
    if (!isDeterminismViolation(error)) throw error;
    return { deterministic: false, workflowType, ...place(history.events, error.message), message: error.message };
  }
}

/** Its class is the workflow package's, which this process does not load. */
const isDeterminismViolation = (error: unknown): error is Error =>
  error instanceof Error && error.name === 'DeterminismViolationError';

/** The SDK names the scheduled activity or child, or the kind of event it expected; the history tells where that is. */
function place(
  events: readonly HistoryEvent[],
  message: string,
): { readonly eventId: string | null; readonly step: string | null } {
  // Names stand in single quotes, in a message that quotes itself in double ones.
  for (const [, name] of message.matchAll(/'([^'"]+)'/g)) {
    const found = events.filter((event) => nameOf(event) === name);
    if (name !== undefined && found[0]) return { eventId: found.length === 1 ? found[0].eventId : null, step: name };
  }
  const id = /(?:event(?:_?id)?|id)[:= ]+(\d+)/i.exec(message)?.[1] ?? null;
  const event = id === null ? undefined : events.find((candidate) => candidate.eventId === id);
  return { eventId: id, step: event ? nameOf(event) : null };
}

function nameOf(event: HistoryEvent): string | null {
  const activity = event['activityTaskScheduledEventAttributes'] as { activityType?: { name?: string } } | undefined;
  const child = event['startChildWorkflowExecutionInitiatedEventAttributes'] as
    { workflowType?: { name?: string } } | undefined;
  const timer = event['timerStartedEventAttributes'] as { timerId?: string } | undefined;
  return activity?.activityType?.name ?? child?.workflowType?.name ?? (timer ? `timer ${timer.timerId ?? ''}` : null);
}
