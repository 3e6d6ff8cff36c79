/** What a person brings into the meeting page. */
import type { Admission, RoomInfo } from './api';

export interface Visit {
  code: string;
  room: RoomInfo;
  admission: Admission;
  name: string;
  /** Running devices from the pre-join page; the meeting takes them over and stops them. */
  tracks: { microphone?: MediaStreamTrack; camera?: MediaStreamTrack };
}
