import { appendFileSync } from 'node:fs';

/** One line of numbers for who reads the proof: on the terminal, and for the table of `npm run prove` in the file that PROOF_NOTES names. */
export function proofNote(line: string): void {
  process.stdout.write(`  ${line}\n`);
  const file = process.env['PROOF_NOTES'];
  if (file) appendFileSync(file, `${line}\n`);
}
