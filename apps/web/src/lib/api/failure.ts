import type { Problem } from '@tiny-forge/contracts/domain';

/** What came instead of an answer. `kind: network`: nobody answered, the request may have arrived all the same. */
export type Failure =
  | { readonly kind: 'network'; readonly method: string; readonly at: number }
  | {
      readonly kind: 'problem';
      readonly method: string;
      readonly status: number;
      readonly problem: Problem;
      readonly at: number;
    };

export class ApiFailure extends Error {
  readonly failure: Failure;
  constructor(failure: Failure) {
    super(failure.kind === 'network' ? 'no answer' : failure.problem.code);
    this.name = 'ApiFailure';
    this.failure = failure;
  }
}

export const isApiFailure = (error: unknown): error is ApiFailure => error instanceof ApiFailure;

/** Any thrown thing as a failure that can be shown; a bug of ours shows as INTERNAL rather than vanishing. */
export function failureOf(error: unknown): Failure {
  if (isApiFailure(error)) return error.failure;
  return {
    kind: 'problem',
    method: 'GET',
    status: 0,
    at: Date.now(),
    problem: plainProblem(0, 'INTERNAL', { reportId: error instanceof Error ? error.message : 'unknown' }),
  };
}

export function plainProblem(status: number, code: string, params: Problem['params'] = {}): Problem {
  return { type: 'about:blank', title: code, status, code, params, detail: '', state: '', next: '' };
}

export const codeOf = (failure: Failure): string => (failure.kind === 'network' ? 'NETWORK' : failure.problem.code);
