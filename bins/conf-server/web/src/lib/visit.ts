/** What a person brings into the lobby and the meeting page. */
import type { Admission, RoomInfo } from './api';
import type { Handed } from './devices.svelte';
import { MeetingSocket, type Listener, type Told } from './socket';

export interface Visit {
  code: string;
  room: RoomInfo;
  admission: Admission;
  name: string;
  /** Devices from the page before; the next one takes them over and stops them. */
  tracks: { microphone?: Handed; camera?: Handed };
  /** From the lobby: the connection, and what came on it since the welcome. */
  connection?: { socket: MeetingSocket; told: Told[] };
}

/** The meeting websocket of a visit; not opened yet. */
export function meetingSocket({ code, admission }: Visit, listener: Listener): MeetingSocket {
  const { participant, secret } = admission;
  return new MeetingSocket({ url: `${location.origin.replace(/^http/, 'ws')}/api/meeting/ws`, room: code, participant, secret, ...listener });
}
