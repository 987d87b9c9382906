/** Time comes from outside, so that tests own it. */
export interface Clock {
  now(): Date;
}

/** Structured lines; `fields` hold ids, paths and codes, never content or secrets. */
export interface EngineLog {
  info(fields: Readonly<Record<string, unknown>>, message: string): void;
  warn(fields: Readonly<Record<string, unknown>>, message: string): void;
  error(fields: Readonly<Record<string, unknown>>, message: string): void;
}
