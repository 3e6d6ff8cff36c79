/**
 * The meeting websocket: says hello, counts events, comes back where it stopped.
 *
 * The server numbers what it sends. After a cut the client asks for everything after the last number it has
 * seen; a gap or silence is treated as a cut. Waits between tries grow from a quarter of a second to two, so
 * that a working network is found again within three.
 */
import { VERSION, type ClientMessage, type Command, type Goodbye, type Refusal, type ServerMessage } from './wire';

export type Link = 'connecting' | 'connected' | 'reconnecting' | 'lost';
export type Outcome = { type: 'done' } | { type: 'refused'; refusal: Refusal } | { type: 'unsent' };

/** Waiting, welcome, resumed and events, in order and without doubles. */
export type Told = Extract<ServerMessage, { type: 'waiting' | 'welcome' | 'resumed' | 'event' }>;

/** Who is told what comes. */
export interface Listener {
  told: (message: Told) => void;
  link: (link: Link) => void;
  goodbye: (reason: Goodbye) => void;
}

export interface SocketOptions extends Listener {
  url: string;
  room: string;
  participant: string;
  secret: string;
  /** Opens a connection; tests put a fake here. */
  open?: (url: string) => WebSocket;
}

type Timer = ReturnType<typeof setTimeout>;

export class MeetingSocket {
  #options: SocketOptions;
  #listener: Listener;
  #socket: WebSocket | undefined;
  #sequence: number | null = null;
  #request = 0;
  #waiting = new Map<number, (outcome: Outcome) => void>();
  #tries = 0;
  #greeted = false;
  /** The server answered a hello at least once: from then on a cut is told as one. */
  #known = false;
  #closed = false;
  #link: Link = 'connecting';
  #retry: Timer | undefined;
  #silence: Timer | undefined;
  #ping: Timer | undefined;
  #lost: Timer | undefined;

  constructor(options: SocketOptions) {
    this.#options = options;
    this.#listener = options;
  }

  /** Tells somebody else from now on: the lobby hands its connection on to the meeting. */
  handTo(listener: Listener): void {
    this.#listener = listener;
    listener.link(this.#link);
  }

  start(): void {
    addEventListener('online', this.retry);
    addEventListener('offline', this.#suspect);
    this.#connect();
  }

  /** Asks for something. `unsent`: there was no connection, or it broke before the answer. */
  command(command: Command): Promise<Outcome> {
    if (!this.#greeted || !this.#socket) return Promise.resolve({ type: 'unsent' });
    const request = (this.#request += 1);
    return new Promise((resolve) => {
      this.#waiting.set(request, resolve);
      this.#send({ type: 'command', request, command });
    });
  }

  /** Tries again at once instead of waiting. */
  retry = (): void => {
    if (this.#closed || this.#greeted) return;
    this.#tries = 0;
    this.#connect();
  };

  close(): void {
    this.#closed = true;
    removeEventListener('online', this.retry);
    removeEventListener('offline', this.#suspect);
    for (const timer of [this.#retry, this.#silence, this.#ping, this.#lost]) clearTimeout(timer);
    this.#drop();
  }

  #connect(): void {
    clearTimeout(this.#retry);
    this.#drop();
    const open = this.#options.open ?? ((url: string) => new WebSocket(url));
    const socket = open(this.#options.url);
    this.#socket = socket;
    socket.onopen = () => this.#hello();
    socket.onmessage = ({ data }) => this.#receive(data);
    socket.onclose = () => this.#broken(socket);
    this.#expect(ANSWER_MS);
  }

  #hello(): void {
    const { room, participant, secret } = this.#options;
    this.#send({ type: 'hello', version: VERSION, room, participant, secret, resume_from: this.#sequence });
  }

  #receive(data: unknown): void {
    this.#expect(SILENCE_MS);
    const message = parse(data);
    if (!message) return;
    switch (message.type) {
      case 'welcome':
        this.#sequence = message.sequence;
        this.#listener.told(message);
        return this.#live();
      case 'waiting':
      case 'resumed':
        this.#listener.told(message);
        return this.#live();
      case 'event':
        return this.#event(message);
      case 'done':
        return this.#answer(message.request, { type: 'done' });
      case 'refused':
        return this.#answer(message.request, { type: 'refused', refusal: message.refusal });
      case 'goodbye':
        return this.#dismissed(message.reason);
      case 'pong':
        return;
    }
  }

  #event(message: Extract<ServerMessage, { type: 'event' }>): void {
    if (this.#sequence === null || message.sequence <= this.#sequence) return;
    if (message.sequence > this.#sequence + 1) return this.#broken(this.#socket);
    this.#sequence = message.sequence;
    this.#listener.told(message);
  }

  #live(): void {
    this.#greeted = this.#known = true;
    this.#tries = 0;
    clearTimeout(this.#lost);
    this.#lost = undefined;
    this.#set('connected');
    clearTimeout(this.#ping);
    const beat = () => {
      this.#send({ type: 'ping' });
      this.#ping = setTimeout(beat, PING_MS);
    };
    this.#ping = setTimeout(beat, PING_MS);
  }

  #dismissed(reason: Goodbye): void {
    if (reason === 'too_slow') return this.#broken(this.#socket);
    this.close();
    this.#listener.goodbye(reason);
  }

  #broken(socket: WebSocket | undefined): void {
    if (this.#closed || socket !== this.#socket) return;
    this.#drop();
    this.#set(this.#link === 'lost' ? 'lost' : this.#known ? 'reconnecting' : 'connecting');
    this.#lost ??= setTimeout(() => this.#set('lost'), LOST_MS);
    const wait = WAITS_MS[Math.min(this.#tries, WAITS_MS.length - 1)] ?? 2_000;
    this.#tries += 1;
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => this.#connect(), wait * (0.85 + Math.random() * 0.3));
  }

  /** Lets go of the connection; what was asked on it stays unanswered. */
  #drop(): void {
    const socket = this.#socket;
    this.#socket = undefined;
    this.#greeted = false;
    clearTimeout(this.#ping);
    clearTimeout(this.#silence);
    if (socket) {
      socket.onopen = socket.onmessage = socket.onclose = null;
      socket.close();
    }
    for (const resolve of this.#waiting.values()) resolve({ type: 'unsent' });
    this.#waiting.clear();
  }

  #expect(within: number): void {
    clearTimeout(this.#silence);
    this.#silence = setTimeout(() => this.#broken(this.#socket), within);
  }

  /** The browser says the network went: ask at once instead of waiting for the silence. */
  #suspect = (): void => {
    if (!this.#greeted) return;
    this.#send({ type: 'ping' });
    this.#expect(SUSPECT_MS);
  };

  #answer(request: number, outcome: Outcome): void {
    this.#waiting.get(request)?.(outcome);
    this.#waiting.delete(request);
  }

  #send(message: ClientMessage): void {
    if (this.#socket?.readyState === OPEN) this.#socket.send(JSON.stringify(message));
  }

  #set(link: Link): void {
    if (link === this.#link) return;
    this.#link = link;
    this.#listener.link(link);
  }
}

/** A frame that is not ours (or newer than we are) is skipped, never thrown at the page. */
function parse(data: unknown): ServerMessage | undefined {
  if (typeof data !== 'string') return undefined;
  try {
    const value: unknown = JSON.parse(data);
    return typeof value === 'object' && value !== null && 'type' in value ? (value as ServerMessage) : undefined;
  } catch {
    return undefined;
  }
}

const OPEN = 1;
const WAITS_MS = [250, 500, 1_000, 1_500, 2_000];
const ANSWER_MS = 4_000;
const PING_MS = 3_000;
const SILENCE_MS = 7_000;
const SUSPECT_MS = 1_500;
const LOST_MS = 20_000;
