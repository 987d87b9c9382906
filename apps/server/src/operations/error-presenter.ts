import type { OperationErrorView } from '@tiny-forge/contracts/domain';
import type { ErrorView } from '@tiny-forge/workflows';
import { nextOf } from '../http/problem.ts';

/** An operation's error as the API tells it: `next` names what `detail` names. */
export const presentError = (error: ErrorView): OperationErrorView => ({
  ...error,
  params: { ...error.params },
  next: nextOf(error.next, error.params),
});
