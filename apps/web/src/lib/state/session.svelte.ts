import type { Me, Permission } from '@tiny-forge/contracts/domain';
import { api } from '../api/client.ts';
import { auth } from '../api/calls.ts';

export type SessionState = 'unknown' | 'in' | 'out' | 'ended';

/**
 * Who is signed in. `ended`: the session was good and no longer is; the page stays as it is under the sign-in, and nothing is sent again by itself.
 */
class Session {
  state = $state<SessionState>('unknown');
  me = $state.raw<Me | undefined>();

  constructor() {
    api.onUnauthenticated(() => {
      if (this.state === 'in') this.state = 'ended';
      else if (this.state === 'unknown') this.state = 'out';
    });
  }

  may(permission: Permission): boolean {
    return this.me?.user.permissions.includes(permission) ?? false;
  }

  /** Throws what the server answered, except "not signed in". */
  async load(): Promise<void> {
    try {
      const me = await auth.me();
      api.setCsrf(me.csrfToken);
      this.me = me;
      this.state = 'in';
    } catch (error) {
      const state: SessionState = this.state;
      if (state === 'out' || state === 'ended') return;
      throw error;
    }
  }

  async signIn(username: string, password: string): Promise<void> {
    const answer = await auth.login(username, password);
    api.setCsrf(answer.csrfToken);
    this.me = { user: answer.user, csrfToken: answer.csrfToken, expiresAt: null };
    this.state = 'in';
    await this.load();
  }

  async signOut(): Promise<void> {
    await auth.logout();
    api.setCsrf(undefined);
    this.me = undefined;
    this.state = 'out';
  }
}

export const session = new Session();
