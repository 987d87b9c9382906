/** One cell of the table of `npm run prove`: a program whose tests decide whether it is red. */
export interface Layer {
  readonly cell: string;
  /** Folder below the checkout in which Jest runs. */
  readonly folder: string;
  /** Which test files, as patterns for Jest. */
  readonly files: readonly string[];
  /** Which of their tests count; default: all. */
  readonly only?: RegExp;
  readonly env?: Readonly<Record<string, string>>;
  /** What `--full` changes in it. */
  readonly fullEnv?: Readonly<Record<string, string>>;
  /** What a machine may lack without the cell being red. */
  readonly mayBeSkipped?: boolean;
}

const volsnap = {
  folder: 'libs/volsnap',
  env: { PROOF: 'proof' },
  fullEnv: { PROOF: 'whole' },
} as const;

/** The longest first: two run at a time. A new layer is one more entry. */
export const LAYERS: readonly Layer[] = [
  {
    cell: 'chaos',
    folder: 'e2e',
    files: ['chaos\\.e2e\\.spec'],
    env: { CHAOS_ROUNDS: '20' },
    fullEnv: { CHAOS_ROUNDS: '200' },
    mayBeSkipped: true,
  },
  { ...volsnap, cell: 'L1 weak', files: ['crash-weak\\.prove'] },
  { ...volsnap, cell: 'L2 killed processes', files: ['/kill\\.int\\.spec'] },
  { ...volsnap, cell: 'L2 killed captures', files: ['/kill-capture\\.int\\.spec'] },
  { ...volsnap, cell: 'L2 killed in a mount', files: ['/inner-swap\\.int\\.spec'] },
  { ...volsnap, cell: 'L1 ordered', files: ['crash-ordered\\.prove'] },
  { ...volsnap, cell: 'L3 failing calls', files: ['/fail\\.int\\.spec', 'failing-calls\\.spec'] },
  { ...volsnap, cell: 'mutations', files: ['crash-mutants\\.prove'] },
  { ...volsnap, cell: 'L1 torn and refused', files: ['crash-journals\\.spec'] },
  { ...volsnap, cell: 'L4 ext4', files: ['power-cut-ext4\\.int\\.spec'], mayBeSkipped: true },
  { ...volsnap, cell: 'L4 xfs', files: ['power-cut-xfs\\.int\\.spec'], mayBeSkipped: true },
  { ...volsnap, cell: 'broken engines', files: ['crash-states\\.spec'], only: /is found out:/ },
];
