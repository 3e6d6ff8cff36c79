/**
 * Who is signed in here. The proof is a cookie that no script can read, so the server is asked.
 *
 * Nothing about it is stored in the browser.
 */
import { ask, send } from './api';
import { leavePlaces } from './guest';

export interface Account {
  id: string;
  name: string;
  email: string;
  role: 'administrator' | 'member';
  /** When they signed in the last time; `null`: never. */
  last_sign_in: string | null;
}

class Session {
  /** `null`: nobody; `undefined`: not asked yet. */
  account = $state.raw<Account | null>();
  /** The server ended it while a page was open. */
  ended = $state(false);

  async look(): Promise<void> {
    this.account = (await ask<{ account: Account | null }>('/api/v1/session')).account;
  }

  begin(account: Account): void {
    this.ended = false;
    this.account = account;
  }

  /** The server no longer knows us: signed out elsewhere, a new password, or the 24 hours are over. */
  lost(): void {
    this.ended = true;
    this.account = null;
  }

  /** Ends it on the server, and with it the places in meetings that were taken in this tab. */
  async end(): Promise<void> {
    await send('DELETE', '/api/v1/session');
    leavePlaces();
    this.ended = false;
    this.account = null;
  }
}

export const session = new Session();
