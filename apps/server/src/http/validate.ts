import type { z } from 'zod';
import { validationFailed, type Issue } from './problem.ts';

/** @throws RequestError VALIDATION_FAILED with every field that is wrong */
export function validate(schema: z.ZodType, value: unknown, prefix = ''): unknown {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw validationFailed(issuesOf(result.error, prefix));
}

export function issuesOf(error: z.ZodError, prefix = ''): Issue[] {
  return error.issues.flatMap((issue) => {
    const at = [...(prefix === '' ? [] : [prefix]), ...issue.path.map(String)];
    // An unknown key is reported at its parent; the reader looks for the key.
    if (issue.code === 'unrecognized_keys') {
      return issue.keys.map((key) => ({ path: [...at, key].join('.'), message: 'unknown field' }));
    }
    return [{ path: at.join('.'), message: issue.message }];
  });
}
