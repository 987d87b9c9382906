/** Checks of decoded JSON without a library: a journal must stay readable by the smallest possible amount of code. */
export type Shape = (value: unknown) => boolean;

export const isString: Shape = (value) => typeof value === 'string';
export const isBoolean: Shape = (value) => typeof value === 'boolean';
export const isCount: Shape = (value) => Number.isSafeInteger(value) && (value as number) >= 0;
export const isDecimal: Shape = (value) => typeof value === 'string' && /^[0-9]{1,20}$/.test(value);
export const oneOf =
  (...words: readonly string[]): Shape =>
  (value) =>
    words.includes(value as string);
export const orNull =
  (shape: Shape): Shape =>
  (value) =>
    value === null || shape(value);
export const optional =
  (shape: Shape): Shape =>
  (value) =>
    value === undefined || shape(value);
export const listOf =
  (shape: Shape): Shape =>
  (value) =>
    Array.isArray(value) && value.every(shape);
/** Every named member fits; members that are not named are let through, so that older code reads newer records. */
export const having = (members: Readonly<Record<string, Shape>>): Shape => {
  const wanted = Object.entries(members);
  return (value) =>
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    wanted.every(([name, shape]) => shape((value as Record<string, unknown>)[name]));
};
