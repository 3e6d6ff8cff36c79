/** `window.__conf`: a small read-only window for tests and for people who debug. */
import type { Room } from 'livekit-client';
import type { Meeting } from './meeting.svelte';

let current: Meeting | undefined;

export function exposeMeeting(meeting: Meeting | undefined): void {
  current = meeting;
}

export interface Exposed {
  readonly room: Room | undefined;
  readonly meeting: Meeting | undefined;
}

declare global {
  interface Window {
    __conf: Exposed;
  }
}

Object.defineProperty(window, '__conf', {
  value: Object.freeze({
    get room() {
      return current?.media.room;
    },
    get meeting() {
      return current;
    },
  }),
});
