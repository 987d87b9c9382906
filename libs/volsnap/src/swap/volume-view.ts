import type { SwapVolume } from '../journal/record.ts';
import type { Seen } from './locate-tree.ts';

/** One rename that a person can do. */
export interface InnerMove {
  readonly from: string;
  readonly to: string;
  /** Whose it is that moves. */
  readonly side: 'old' | 'new';
}

/** What stands where, of one volume. */
export interface VolumeView {
  readonly volume: SwapVolume;
  readonly live: Seen;
  /** Where the old and the new tree are now, by identity; null: nowhere, or there is none. */
  readonly oldAt: string | null;
  readonly newAt: string | null;
  /** Of a mount point: what is to be moved to make either side live, in order; null: something of that side is nowhere. */
  readonly inner?: Readonly<Record<'old' | 'new', readonly InnerMove[] | null>>;
}
