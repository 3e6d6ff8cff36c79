/** What is known of a room before its meeting, and what that means for the person who looks at it. */
import type { RoomInfo } from './api';
import { t } from './i18n.svelte';

export interface Expectations {
  /** The meeting is to begin with me. */
  opens: boolean;
  /** Nobody is let in yet: the owner is not there. */
  notBegun: boolean;
  /** The lobby is on. */
  lobby: boolean;
  /** I shall have to wait. */
  asks: boolean;
  /** My microphone will start muted. */
  muted: boolean;
}

export function expectations({ options, you, meeting }: RoomInfo): Expectations {
  const owner = you?.owner ?? false;
  const nobody = (meeting?.participants ?? 0) === 0;
  const lobby = options?.lobby === 'ask';
  return {
    opens: owner && nobody,
    notBegun: !owner && nobody && options?.start === 'owner',
    lobby,
    asks: !owner && lobby,
    muted: !owner && (options?.mute_on_start ?? false),
  };
}

/** A room whose link is no longer valid, for those who are inside: the meeting tells the rest. */
export function unlisted(code: string): RoomInfo {
  return { code, title: t('room_unlisted'), meeting: null, limits: { participants: 0, name_chars: 0 } };
}
