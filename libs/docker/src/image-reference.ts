/** `name` becomes `name:latest`; a reference with tag or digest stays. A port of a registry is no tag. */
export function withTag(reference: string): string {
  if (reference.includes('@')) return reference;
  return reference.lastIndexOf(':') > reference.lastIndexOf('/') ? reference : `${reference}:latest`;
}

interface ProgressLine {
  readonly stream?: string;
  readonly error?: string;
}

const progressLines = (text: string): ProgressLine[] =>
  text
    .split('\n')
    .filter((line) => line.trim().startsWith('{'))
    .map((line) => JSON.parse(line) as ProgressLine);

/** Pull and load answer 200 before they know: a failure is a line of the progress stream. */
export function pullFailure(text: string): string | null {
  return progressLines(text).find((line) => line.error !== undefined)?.error ?? null;
}

/** Names or ids of `docker load`: the progress line is the only place the Engine tells them. */
export function loadedImages(text: string): string[] {
  return progressLines(text).flatMap((line) => {
    const loaded = /^Loaded image(?: ID)?: (\S+)/.exec(line.stream ?? '');
    return loaded?.[1] === undefined ? [] : [loaded[1]];
  });
}
