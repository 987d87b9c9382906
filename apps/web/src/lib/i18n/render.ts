import type { Messages } from './en.ts';
import type { Format } from './format.ts';
import { type RawParams, Values } from './values.ts';
import { name } from './visible.ts';

/** `code` + `params` as a sentence of the reader's language; a code this page does not know shows as itself. */
export function renderCode(m: Messages, f: Format, code: string, params: RawParams, now: number): string {
  const sentence = (m.errors as Readonly<Record<string, ((v: Values) => string) | undefined>>)[code];
  return sentence === undefined ? m.failure.unknown(code) : sentence(new Values(params, f, now));
}

/** What to do next for a code, where that can be said in advance. */
export function adviceFor(m: Messages, code: string): string | undefined {
  return (m.advice as Readonly<Record<string, string | undefined>>)[code];
}

/** Several names in one sentence. */
export const names = (values: readonly string[]): string => values.map((value) => name(value)).join(', ');
