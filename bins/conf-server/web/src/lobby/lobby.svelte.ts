/**
 * Waiting to be let in: the place in the line, as the server tells it.
 *
 * The connection is the meeting's own. It resumes as in the meeting, and after the welcome it is handed on
 * with everything that came on it, so that nobody sees the newcomer leave and come again.
 */
import { ApiError, rejoin, type Admission } from '../lib/api';
import { afterGoodbye, type After } from '../lib/after';
import { keep } from '../lib/guest';
import type { Link, Told } from '../lib/socket';
import { chime } from '../lib/sound';
import { meetingSocket, type Visit } from '../lib/visit';
import type { Goodbye } from '../lib/wire';

export interface LobbyOptions {
  admitted: (admission: Admission, connection: NonNullable<Visit['connection']>) => void;
  over: (after: After) => void;
}

type Waiting = Extract<Told, { type: 'waiting' }>;

export class Lobby {
  link = $state<Link>('connecting');
  /** `undefined`: the server has not told yet. */
  place = $state.raw<Pick<Waiting, 'position' | 'reason'>>();
  admitted = $state(false);

  #visit: Visit;
  #options: LobbyOptions;
  #connection: NonNullable<Visit['connection']>;
  #handed = false;
  #over = false;

  constructor(visit: Visit, options: LobbyOptions) {
    this.#visit = visit;
    this.#options = options;
    const socket = meetingSocket(visit, {
      told: (message) => this.#told(message),
      link: (link) => (this.link = link),
      goodbye: (reason) => this.#goodbye(reason),
    });
    this.#connection = { socket, told: [] };
  }

  start(): void {
    this.#connection.socket.start();
  }

  /** Ends the connection without a word, unless it was handed on. */
  stop(): void {
    if (this.#over || this.#handed) return;
    this.#over = true;
    this.#connection.socket.close();
  }

  retry(): void {
    this.#connection.socket.retry();
  }

  /** Leaves even when nobody answers. */
  async leave(): Promise<void> {
    const patience = new Promise<void>((resolve) => setTimeout(resolve, 800));
    await Promise.race([this.#connection.socket.command({ type: 'leave' }), patience]);
    this.#finish({ kind: 'lobby_left' });
  }

  #told(message: Told): void {
    if (message.type === 'waiting') {
      this.place = { position: message.position, reason: message.reason };
      return;
    }
    if (message.type === 'welcome') this.#connection.told = []; // it holds all that came before
    this.#connection.told.push(message);
    if (!this.admitted) void this.#admit();
  }

  /** Fetches the media token that there was none of before; tries until it is there or the place is gone. */
  async #admit(): Promise<void> {
    this.admitted = true;
    chime('admitted');
    const { code, admission } = this.#visit;
    for (let wait = 250; !this.#over; wait = Math.min(wait * 2, 4_000)) {
      const fresh = await rejoin(code, admission.participant, admission.secret).catch((error: unknown) => error);
      if (this.#over) return;
      if (fresh instanceof ApiError && (fresh.status === 401 || fresh.status === 410)) return this.#finish({ kind: 'lost' });
      if (!(fresh instanceof Error) && (fresh as Admission).media_token) return this.#enter(fresh as Admission);
      await new Promise((resolve) => setTimeout(resolve, wait));
    }
  }

  /** Until the meeting listens, what comes goes on to be kept here; only a goodbye ends it. */
  #enter(admission: Admission): void {
    this.#handed = true;
    keep(this.#visit.code, admission);
    this.#options.admitted(admission, this.#connection);
  }

  #goodbye(reason: Goodbye): void {
    const after: After | undefined = reason === 'left' ? { kind: 'lobby_left' } : afterGoodbye(reason);
    if (after) this.#finish(after);
  }

  #finish(after: After): void {
    if (this.#over) return;
    this.#over = true;
    this.#connection.socket.close();
    this.#options.over(after);
  }
}
