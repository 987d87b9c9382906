import { ERRORS, type ErrorCode, type ErrorKind } from './error-catalogue.ts';

/** Bounded, secret-free values of an error; rendered by `code` in the reader's language. */
export type ErrorParams = Readonly<Record<string, string | number | boolean | null>>;

export interface ForgeErrorInit {
  readonly code: ErrorCode;
  /** Defaults to the catalogue's kind of `code`. */
  readonly kind?: ErrorKind;
  /** Whether the same call may succeed later without anybody changing anything. Defaults to the catalogue. */
  readonly retryable?: boolean;
  /** Values for the catalogue's template. Strings are cut at 1,024 characters. Never a secret. */
  readonly params?: ErrorParams;
  /** Plain English detail; defaults to the catalogue's template filled with `params`. */
  readonly message?: string;
  readonly cause?: unknown;
}

const MAX_PARAM_LENGTH = 1024;

/** The one error class. Test `code` and `kind`, never the message, and use `isForgeError`, never `instanceof`, across packages. */
export class ForgeError extends Error {
  readonly forgeError = true as const;
  readonly code: ErrorCode;
  readonly kind: ErrorKind;
  readonly retryable: boolean;
  readonly params: ErrorParams;

  constructor(init: ForgeErrorInit) {
    const params = boundParams(init.params ?? {});
    super(
      init.message ?? renderDetail(init.code, params),
      init.cause === undefined ? undefined : { cause: init.cause },
    );
    this.name = 'ForgeError';
    this.code = init.code;
    this.kind = init.kind ?? ERRORS[init.code].kind;
    this.retryable = init.retryable ?? ERRORS[init.code].retryable ?? false;
    this.params = params;
  }
}

export function isForgeError(error: unknown): error is ForgeError {
  return typeof error === 'object' && error !== null && (error as { forgeError?: unknown }).forgeError === true;
}

/** The catalogue's English sentence for `code`, `{name}` replaced by `params.name`; unknown names stay visible. */
export function renderDetail(code: ErrorCode, params: ErrorParams): string {
  return ERRORS[code].detail.replace(/\{(\w+)\}/g, (whole, name: string) => {
    const value = params[name];
    return value === undefined || value === null ? whole : String(value);
  });
}

function boundParams(params: ErrorParams): ErrorParams {
  return Object.fromEntries(
    Object.entries(params).map(([key, value]) => [
      key,
      typeof value === 'string' && value.length > MAX_PARAM_LENGTH ? `${value.slice(0, MAX_PARAM_LENGTH - 1)}…` : value,
    ]),
  );
}
