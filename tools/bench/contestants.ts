/** What is compared. Commands are shell lines; `$S` the folder with the set, `$D` its name, `$T` the fresh disk, `$R` a folder that stays. */
export interface Contestant {
  name: string;
  /** Programs it needs, with the Debian package of each. */
  needs: readonly (readonly [program: string, packageName: string])[];
  /** Slow ones run in the first round only. */
  slow?: boolean;
  /** Not measured: makes what the capture needs. */
  prepare?: string;
  capture?: string;
  /** Not measured, once: what the restore reads, kept in `$R`. */
  store?: string;
  restore?: string;
}

const gzip = [['gzip', 'gzip']] as const;
const zstd = [['zstd', 'zstd']] as const;
const pigz = [['pigz', 'pigz']] as const;
const bsdtar = [['bsdtar', 'libarchive-tools']] as const;

/** Ours first, then those whose ratio is asked for, the floor at the end. */
export function contestants(ours: string): Contestant[] {
  return [
    {
      name: 'tiny-forge',
      needs: [],
      capture: `${ours} pack "$S/$D" -o "$T/out" --key "$R/key"`,
      store: `${ours} pack "$S/$D" -o "$R/tiny-forge" --key "$R/key"`,
      restore: `${ours} extract "$R/tiny-forge" "$T/out" --key "$R/key"`,
    },
    {
      name: 'tar|zstd -3 -T0',
      needs: zstd,
      capture: 'tar -C "$S" -c "$D" | zstd -3 -T0 -q > "$T/out"',
      store: 'tar -C "$S" -c "$D" | zstd -3 -T0 -q > "$R/tar.zst"',
      restore: 'zstd -dcq "$R/tar.zst" | tar -C "$T" -xp --numeric-owner',
    },
    {
      name: 'bsdtar zstd',
      needs: bsdtar,
      capture: 'bsdtar -C "$S" --zstd -cf "$T/out" "$D"',
      restore: 'bsdtar -C "$T" -xpf "$R/tar.zst"',
    },
    {
      name: 'tar|pigz -6',
      needs: pigz,
      slow: true,
      capture: 'tar -C "$S" -c "$D" | pigz -6 > "$T/out"',
      store: 'tar -C "$S" -c "$D" | pigz -6 > "$R/tar.gz"',
      restore: 'pigz -dc "$R/tar.gz" | tar -C "$T" -xp --numeric-owner',
    },
    { name: 'tar|gzip -6', needs: gzip, slow: true, capture: 'tar -C "$S" -c "$D" | gzip -6 > "$T/out"' },
    {
      name: 'restic',
      needs: [['restic', 'restic']],
      slow: true,
      prepare: 'rm -rf "$T/repo"; restic -q init --repository-version 2 -r "$T/repo"',
      capture: 'cd "$S"; restic -q -r "$T/repo" backup --compression auto "$D"',
      store:
        'restic -q init --repository-version 2 -r "$R/restic"; cd "$S"; restic -q -r "$R/restic" backup --compression auto "$D"',
      restore: 'restic -q -r "$R/restic" restore latest --target "$T"',
    },
    {
      name: 'borg zstd,3',
      needs: [['borg', 'borgbackup']],
      slow: true,
      prepare: 'rm -rf "$T/repo"; borg init -e none "$T/repo"',
      capture: 'cd "$S"; borg create -C zstd,3 "$T/repo::a" "$D"',
      store: 'borg init -e none "$R/borg"; cd "$S"; borg create -C zstd,3 "$R/borg::a" "$D"',
      restore: 'cd "$T"; borg extract "$R/borg::a"',
    },
    { name: 'cp -a', needs: [], capture: 'cp -a "$S/$D" "$T/out"', restore: 'cp -a "$S/$D" "$T/out"' },
  ];
}

export interface Aim {
  set: 'A' | 'B';
  step: 'capture' | 'restore';
  rival: string;
  atMost: number;
}

/** Issue 4: what the ratio of ours to a rival is to be. */
export const aims: readonly Aim[] = [
  { set: 'A', step: 'capture', rival: 'tar|zstd -3 -T0', atMost: 0.9 },
  { set: 'B', step: 'capture', rival: 'tar|zstd -3 -T0', atMost: 0.9 },
  { set: 'A', step: 'capture', rival: 'tar|gzip -6', atMost: 0.1 },
  { set: 'B', step: 'capture', rival: 'tar|gzip -6', atMost: 0.1 },
  { set: 'B', step: 'restore', rival: 'tar|zstd -3 -T0', atMost: 0.65 },
  { set: 'A', step: 'restore', rival: 'bsdtar zstd', atMost: 1 },
];
export const maxPeakMiB = 200;
