/** How a visit to a room can be over, and what the server said about it. */
import type { ApiError } from './api';
import type { EndReason, Goodbye } from './wire';

export type After =
  | { kind: 'left' | 'lobby_left' | 'denied' | 'removed' | 'replaced' | 'lost' | 'version' | 'missing' | 'nowhere' }
  | { kind: 'ended'; reason: EndReason }
  | { kind: 'full'; limit: number }
  | { kind: 'failed'; error: ApiError };

/** The page after a goodbye; `undefined`: the connection comes back by itself. */
export function afterGoodbye(reason: Goodbye, ended: EndReason = 'moderator'): After | undefined {
  switch (reason) {
    case 'ended':
      return { kind: 'ended', reason: ended };
    case 'unknown':
      return { kind: 'lost' };
    case 'too_slow':
      return undefined;
    default:
      return { kind: reason };
  }
}

/** The page for a refused room or join, if it deserves a page of its own. */
export function afterError(error: ApiError): After {
  switch (error.code) {
    case 'room_unknown':
      return { kind: 'missing' };
    case 'meeting_full':
      return { kind: 'full', limit: error.limit ?? 0 };
    default:
      return { kind: 'failed', error };
  }
}
