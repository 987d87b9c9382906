/** Text of the Engine made fit for errors and pages: control characters gone, one line, bounded. */
export function plainText(text: string, maxLength = 400): string {
  const line = text.replace(/[\u0000-\u001f\u007f-\u009f]+/g, ' ').trim();
  return line.length > maxLength ? `${line.slice(0, maxLength - 1)}…` : line;
}
