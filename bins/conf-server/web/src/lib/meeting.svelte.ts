/**
 * The state of the meeting: one object, fed by the meeting websocket and by the media room.
 *
 * Everything the page draws is read from here; everything a person does goes through the methods below.
 */
import { SvelteMap } from 'svelte/reactivity';
import { Door } from '../lobby/door.svelte';
import { afterGoodbye, type After } from './after';
import { ApiError, rejoin } from './api';
import { keep } from './guest';
import { t } from './i18n.svelte';
import { Media, ME } from './media.svelte';
import { notices } from './notices.svelte';
import { explain } from './refusal';
import type { Link, Listener, MeetingSocket, Outcome, Told } from './socket';
import { meetingSocket, type Visit } from './visit';
import type { ChatMessage, Command, EndReason, Event, Goodbye, Participant, Role } from './wire';

/** A participant with what our own media client knows about them. */
export interface Person extends Participant {
  me: boolean;
  weak: boolean;
}

export class Meeting {
  link = $state<Link>('connecting');
  ready = $state(false);
  people = new SvelteMap<string, Participant>();
  chat = $state.raw<ChatMessage[]>([]);
  /** How many listen without being participants. */
  listeners = $state(0);
  startedAt = $state<Date>();
  limits = $state.raw({ participants: 50, chat_chars: 2_000, name_chars: 60 });
  /** The last chat message that was on screen. */
  readTo = $state(0);
  readonly me: string;
  readonly media: Media;
  readonly door: Door;

  /** Me first, then the others as they came. */
  everyone: Person[] = $derived.by(() => this.#everyone());
  self: Person | undefined = $derived(this.everyone.find((person) => person.me));
  others: Person[] = $derived(this.everyone.filter((person) => !person.me));
  moderator = $derived.by(() => this.people.get(this.me)?.role === 'moderator');
  unread = $derived.by(() => this.chat.filter((message) => message.id > this.readTo && message.from !== this.me).length);
  /** What the banner says: the worse of the two connections. */
  connection: 'connecting' | 'connected' | 'reconnecting' | 'lost' = $derived.by(() => this.#connection());

  #visit: Visit;
  #socket: MeetingSocket;
  #leave: (after: After) => void;
  #endReason: EndReason | undefined;
  #over = false;
  #listener: Listener = {
    told: (message) => this.#told(message),
    link: (link) => this.#linked(link),
    goodbye: (reason) => this.#goodbye(reason),
  };

  constructor(visit: Visit, leave: (after: After) => void) {
    this.#visit = visit;
    this.#leave = leave;
    this.me = visit.admission.participant;
    this.limits = { ...this.limits, ...visit.room.limits };
    this.door = new Door(visit.room.options, (command) => this.#ask(command), () => this.moderator);
    this.media = new Media({
      url: location.origin.replace(/^http/, 'ws'),
      token: visit.admission.media_token ?? '',
      tracks: visit.tracks,
      muted: () => visit.admission.role === 'viewer' && this.door.options.mute_on_start,
      renew: () => this.#renew(),
      replaced: () => this.#finish({ kind: 'replaced' }),
    });
    this.#socket = visit.connection?.socket ?? meetingSocket(visit, this.#listener);
  }

  start(): void {
    const { connection } = this.#visit;
    if (connection) {
      connection.told.forEach((message) => this.#told(message));
      connection.socket.handTo(this.#listener);
    } else this.#socket.start();
    void this.media.start();
  }

  /** Ends this visit's connections without a word to the server (the page is going away). */
  stop(): void {
    this.#over = true;
    this.#socket.close();
    void this.media.close();
  }

  retry(): void {
    this.#socket.retry();
  }

  /** Sends a chat message; the words of a refusal, or nothing when it was taken. */
  async say(text: string): Promise<string | undefined> {
    const outcome = await this.#socket.command({ type: 'send_chat', text });
    if (outcome.type === 'unsent') return t('chat_unsent');
    return outcome.type === 'refused' ? explain(outcome.refusal) : undefined;
  }

  raiseHand(raised: boolean): Promise<boolean> {
    return this.#ask({ type: 'raise_hand', raised });
  }

  mute(participant: string): Promise<boolean> {
    return this.#ask({ type: 'mute', participant });
  }

  muteAll(): Promise<boolean> {
    return this.#ask({ type: 'mute_all' });
  }

  remove(participant: string): Promise<boolean> {
    return this.#ask({ type: 'remove', participant });
  }

  setRole(participant: string, role: Role): Promise<boolean> {
    return this.#ask({ type: 'set_role', participant, role });
  }

  /** Leaves even when nobody answers. */
  async leave(): Promise<void> {
    const patience = new Promise<void>((resolve) => setTimeout(resolve, 800));
    await Promise.race([this.#socket.command({ type: 'leave' }), patience]);
    this.#finish({ kind: 'left' });
  }

  async end(): Promise<boolean> {
    return this.#ask({ type: 'end' });
  }

  read(): void {
    this.readTo = this.chat.at(-1)?.id ?? this.readTo;
  }

  async setMicrophone(on: boolean): Promise<void> {
    await this.media.setMicrophone(on);
    notices.alert(t(this.media.microphone ? 'live_unmuted' : 'live_muted'));
  }

  async #ask(command: Command): Promise<boolean> {
    const outcome: Outcome = await this.#socket.command(command);
    if (outcome.type === 'unsent') notices.toast(t('refusal_unsent'), 'warning');
    if (outcome.type === 'refused') notices.toast(explain(outcome.refusal), 'warning');
    return outcome.type === 'done';
  }

  #linked(link: Link): void {
    if (link === 'connected' && this.ready && this.link !== 'connecting') notices.say(t('connection_back'));
    this.link = link;
  }

  #told(message: Told): void {
    if (message.type === 'welcome') this.#welcome(message);
    if (message.type === 'event') this.#event(message.event);
  }

  #welcome({ snapshot }: Extract<Told, { type: 'welcome' }>): void {
    const again = this.ready;
    const present = new Set(snapshot.participants.map(({ id }) => id));
    for (const id of this.people.keys()) if (!present.has(id)) this.people.delete(id);
    for (const participant of snapshot.participants) this.people.set(participant.id, participant);
    this.chat = snapshot.chat;
    this.listeners = snapshot.listeners;
    this.startedAt = new Date(snapshot.meeting.started_at);
    this.limits = { ...this.limits, ...snapshot.limits };
    this.door.read(snapshot.meeting.options, snapshot.waiting);
    if (!again) this.read();
    this.ready = true;
  }

  #event(event: Event): void {
    switch (event.type) {
      case 'participant_joined':
        this.people.set(event.participant.id, event.participant);
        if (event.participant.id !== this.me) notices.bundle('live_joined', event.participant.name);
        return;
      case 'participant_changed':
        return this.#changed(event.participant);
      case 'participant_left': {
        const name = this.people.get(event.id)?.name;
        this.people.delete(event.id);
        if (name && event.id !== this.me) notices.bundle('live_left', name);
        return;
      }
      case 'chat':
        this.chat = [...this.chat.slice(-CHAT_KEPT), event.message];
        if (event.message.from !== this.me) notices.bundle('live_chat', event.message.name);
        return;
      case 'muted_by':
        notices.toast(t('toast_muted_by', { name: this.people.get(event.participant)?.name ?? t('people_moderator') }));
        return notices.alert(t('live_muted'));
      case 'listeners_changed':
        this.listeners = event.listeners;
        return;
      case 'waiting_added':
      case 'waiting_removed':
      case 'options_changed':
        return this.door.handle(event);
      case 'meeting_ended':
        this.#endReason = event.reason;
        return;
    }
  }

  #changed(now: Participant): void {
    const before = this.people.get(now.id);
    this.people.set(now.id, now);
    if (now.hand && !before?.hand && now.id !== this.me) notices.say(t('live_hand', { name: now.name }));
    if (now.id === this.me && before && before.role !== now.role) {
      if (now.role === 'viewer') this.door.close();
      notices.toast(t(now.role === 'moderator' ? 'toast_promoted' : 'toast_demoted'));
    }
  }

  #goodbye(reason: Goodbye): void {
    const after = afterGoodbye(reason, this.#endReason);
    if (after) this.#finish(after);
  }

  #finish(after: After): void {
    if (this.#over) return;
    this.stop();
    this.#leave(after);
  }

  async #renew(): Promise<string> {
    const { code, admission } = this.#visit;
    try {
      const fresh = await rejoin(code, admission.participant, admission.secret);
      keep(code, fresh);
      if (fresh.media_token === null) throw new ApiError('waiting', 0);
      return fresh.media_token;
    } catch (error) {
      if (error instanceof ApiError && (error.status === 410 || error.status === 401)) this.#finish({ kind: 'lost' });
      throw error;
    }
  }

  #connection(): Meeting['connection'] {
    if (this.link !== 'connected') return this.link;
    return this.media.state === 'reconnecting' || this.media.state === 'failed' ? 'reconnecting' : 'connected';
  }

  #everyone(): Person[] {
    const { seen } = this.media;
    const known = [...this.people.values()].map((participant): Person => {
      const me = participant.id === this.me;
      const media = seen.get(participant.id) ?? (me ? seen.get(ME) : undefined);
      const microphone = media?.microphone ?? participant.microphone;
      return { ...participant, microphone, me, weak: media?.weak ?? false };
    });
    if (!this.people.has(this.me)) known.push(this.#guess(this.me, this.#visit.name, true));
    for (const [id, media] of seen) {
      if (id !== ME && !OURS.test(id) && !this.people.has(id)) known.push(this.#guess(id, media.name, false));
    }
    return known.sort((a, b) => Number(b.me) - Number(a.me) || a.joined_at.localeCompare(b.joined_at) || a.id.localeCompare(b.id));
  }

  /** Somebody whom the media room knows and the websocket has not told of (yet). */
  #guess(id: string, name: string, me: boolean): Person {
    const media = this.media.seen.get(me ? ME : id) ?? this.media.seen.get(id);
    return {
      id,
      name,
      me,
      role: 'viewer',
      presence: me ? 'joining' : 'connected',
      joined_at: '9999',
      hand: false,
      microphone: media?.microphone ?? 'off',
      camera: media?.camera ? 'on' : 'off',
      screen: media?.screen !== undefined,
      weak: media?.weak ?? false,
    };
  }
}

/** Who joined through this client or the portal: the roster alone says whether they are here. */
const OURS = /^p-[0-9a-f]{16}$/;
const CHAT_KEPT = 999;
