import {
  ERRORS,
  ForgeError,
  type Blocker,
  type ErrorCode,
  type ErrorKind,
  type ErrorParams,
  type Problem,
} from '@tiny-forge/contracts/domain';

export interface Issue {
  readonly path: string;
  readonly message: string;
}

/** One HTTP status for each kind; a kind that is missing here does not compile. */
export const STATUS_OF_KIND = {
  malformed: 400,
  unauthenticated: 401,
  forbidden: 403,
  'not-found': 404,
  conflict: 409,
  precondition: 412,
  'too-large': 413,
  unsupported: 415,
  unsatisfiable: 416,
  misdirected: 421,
  invalid: 422,
  blocked: 422,
  'precondition-required': 428,
  throttled: 429,
  unavailable: 503,
  exhausted: 503,
  damaged: 422,
  tampered: 422,
  timeout: 503,
  state: 409,
  cancelled: 409,
  internal: 500,
} as const satisfies Record<ErrorKind, number>;

/** A refusal with what the client needs beyond code and params. */
export class RequestError extends ForgeError {
  readonly issues: readonly Issue[] | null;
  readonly blockers: readonly Blocker[] | null;

  constructor(
    code: ErrorCode,
    params: ErrorParams = {},
    more: { readonly issues?: readonly Issue[]; readonly blockers?: readonly Blocker[]; readonly cause?: unknown } = {},
  ) {
    super({ code, params, cause: more.cause });
    this.issues = more.issues ?? null;
    this.blockers = more.blockers ?? null;
  }
}

const MAX_ISSUES = 100;

export function validationFailed(issues: readonly Issue[]): RequestError {
  const shown = issues.slice(0, MAX_ISSUES);
  const fields = [...new Set(shown.map((issue) => issue.path || '(body)'))].join(', ');
  return new RequestError('VALIDATION_FAILED', { count: issues.length, fields }, { issues: shown });
}

export const statusOf = (error: ForgeError): number => STATUS_OF_KIND[error.kind];

/** The answer for an error; `state` tells what the request left behind. */
export function toProblem(error: ForgeError): Problem {
  const entry = ERRORS[error.code];
  const status = statusOf(error);
  const more = error as { issues?: readonly Issue[] | null; blockers?: readonly Blocker[] | null };
  const operationId = error.params['operationId'];
  return {
    type: `urn:tiny-forge:error:${error.code}`,
    title: entry.title,
    status,
    code: error.code,
    params: { ...error.params },
    detail: error.message,
    state:
      status >= 500 && error.kind === 'internal' ? 'Unknown: look at the list of operations.' : 'Nothing was changed.',
    next: nextOf(entry.next, error.params),
    ...(typeof operationId === 'string' ? { operationId } : {}),
    ...(more.issues ? { issues: more.issues.map((issue) => ({ ...issue })) } : {}),
    ...(more.blockers ? { blockers: more.blockers.map((blocker) => ({ ...blocker })) } : {}),
  };
}

/** `next` of the catalogue with its parameters; what is not known stays visible. */
export const nextOf = (template: string, params: ErrorParams): string =>
  template.replace(/\{(\w+)\}/g, (whole, name: string) => {
    const value = params[name];
    return value === undefined || value === null ? whole : String(value);
  });

/** Whatever Fastify itself refuses, in our words; null: none of its refusals of a client's request. */
export function fromFastify(error: unknown, limitBytes: number, contentType: string): ForgeError | null {
  const { code, statusCode, message } = error as { code?: string; statusCode?: number; message?: string };
  if (code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE' || statusCode === 415) {
    return new RequestError('UNSUPPORTED_MEDIA_TYPE', { contentType });
  }
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE' || statusCode === 413) {
    return new RequestError('BODY_TOO_LARGE', { limitBytes });
  }
  if (statusCode === 404) return new RequestError('NOT_FOUND', { what: 'This address' });
  if (statusCode === 408) return new RequestError('MALFORMED_BODY', { why: 'it did not arrive in time' });
  if (typeof statusCode === 'number' && statusCode >= 400 && statusCode < 500) {
    return new RequestError('MALFORMED_BODY', { why: printable(message ?? 'it is not well-formed') });
  }
  return null;
}

/** SQLite's "busy" after all patience: the database is away, not the request wrong. */
export const isDatabaseBusy = (error: unknown): boolean =>
  (error as { code?: string }).code === 'ERR_SQLITE_ERROR' &&
  ((error as { errcode?: number }).errcode ?? 0) % 256 === 5;

/** Control characters never reach a log or an answer raw (I11). */
export const printable = (text: string): string =>
  text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g, '\ufffd').slice(0, 500);
