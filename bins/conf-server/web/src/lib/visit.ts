/** What a person brings into the meeting page. */
import type { Admission, RoomInfo } from './api';
import type { Handed } from './devices.svelte';

export interface Visit {
  code: string;
  room: RoomInfo;
  admission: Admission;
  name: string;
  /** Devices from the pre-join page; the meeting takes them over and stops them. */
  tracks: { microphone?: Handed; camera?: Handed };
}
