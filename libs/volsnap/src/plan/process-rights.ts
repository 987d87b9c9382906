/** What a restore does that only root may: give files their owners, open what belongs to others, change modes of what belongs to others. */
const NEEDED = [
  { bit: 0, name: 'CAP_CHOWN' },
  { bit: 1, name: 'CAP_DAC_OVERRIDE' },
  { bit: 3, name: 'CAP_FOWNER' },
] as const;
const ALL_IDS = 2 ** 32 - 1;

/** @param status `/proc/self/status` (proc(5)): effective capabilities as a hex mask */
export function missingCapabilities(status: string): string[] {
  const mask = /^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1];
  if (mask === undefined) return [];
  const effective = BigInt(`0x${mask}`);
  return NEEDED.filter(({ bit }) => ((effective >> BigInt(bit)) & 1n) === 0n).map(({ name }) => name);
}

/** @param map `/proc/self/uid_map` (user_namespaces(7)). null: every id there is; else how many there are */
export function mappedIds(map: string): number | null {
  const lines = map.split('\n').flatMap((line) => /^\s*\d+\s+\d+\s+(\d+)\s*$/.exec(line)?.[1] ?? []);
  const ids = lines.reduce((sum, length) => sum + Number(length), 0);
  return lines.length === 0 || ids >= ALL_IDS ? null : ids;
}
