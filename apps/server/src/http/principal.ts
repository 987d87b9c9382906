import type { Permission } from '@tiny-forge/contracts/domain';

/** Who asks. */
export interface Principal {
  readonly kind: 'session' | 'token';
  /** Stable for idempotency: `user:<id>` or `token:<id>`. */
  readonly key: string;
  readonly userId: string;
  /** As shown in operations and audit: the user, for a token `user/token`. */
  readonly name: string;
  readonly userName: string;
  readonly permissions: readonly Permission[];
  readonly csrfToken: string | null;
  readonly sessionHash: string | null;
  readonly expiresAt: string | null;
}
