/**
 * The lobby as moderators see it: who waits, and what can be done about it.
 *
 * The server tells only moderators who waits. Those who knock within a moment are told of together: one
 * toast, one sound, one sentence for a screen reader.
 */
import { SvelteMap } from 'svelte/reactivity';
import type { RoomOptions } from '../lib/api';
import { list, t, type Key } from '../lib/i18n.svelte';
import { notices } from '../lib/notices.svelte';
import { chime } from '../lib/sound';
import type { Command, Event, Waiting } from '../lib/wire';

/** The list on the page: whether it is open, and how to open it. */
export interface Shown {
  readonly open: boolean;
  show: () => void;
}

export class Door {
  waiting = new SvelteMap<string, Waiting>();
  options = $state.raw<RoomOptions>({ mute_on_start: false, lobby: 'off', start: 'anyone' });
  /** First come, first shown. */
  line: Waiting[] = $derived([...this.waiting.values()].sort((a, b) => a.since.localeCompare(b.since) || a.id.localeCompare(b.id)));
  page: Shown | undefined;

  #ask: (command: Command) => Promise<boolean>;
  #moderator: () => boolean;
  #knocked = new Set<string>();
  #bell: ReturnType<typeof setTimeout> | undefined;
  /** What I switched the lobby to: nobody is told what they just did. */
  #mine: RoomOptions['lobby'] | undefined;

  constructor(options: RoomOptions | undefined, ask: (command: Command) => Promise<boolean>, moderator: () => boolean) {
    if (options) this.options = options;
    this.#ask = ask;
    this.#moderator = moderator;
  }

  /** What a snapshot says; whoever is new in it has knocked. */
  read(options: RoomOptions, waiting: Waiting[]): void {
    this.options = options;
    const present = new Set(waiting.map(({ id }) => id));
    for (const id of this.waiting.keys()) if (!present.has(id)) this.waiting.delete(id);
    for (const one of waiting) this.#came(one);
  }

  handle(event: Extract<Event, { type: 'waiting_added' | 'waiting_removed' | 'options_changed' }>): void {
    switch (event.type) {
      case 'waiting_added':
        return this.#came(event.waiting);
      case 'waiting_removed':
        this.waiting.delete(event.id);
        if (this.waiting.size === 0) notices.withdraw(TOAST);
        return;
      case 'options_changed':
        return this.#changed(event.options);
    }
  }

  /** The list is open: what pointed to it is in the way now. */
  looked(): void {
    notices.withdraw(TOAST);
  }

  /** Who is no longer a moderator sees nobody wait. */
  close(): void {
    this.waiting.clear();
    clearTimeout(this.#bell);
    this.#bell = undefined;
    notices.withdraw(TOAST);
  }

  async admit({ id, name }: Waiting): Promise<void> {
    if (await this.#ask({ type: 'admit', participant: id })) notices.say(t('lobby_live_admitted', { count: 1, name }));
  }

  async admitAll(): Promise<void> {
    const count = this.waiting.size;
    const name = this.line[0]?.name ?? '';
    if (await this.#ask({ type: 'admit_all' })) notices.say(t('lobby_live_admitted', { count, name }));
  }

  async deny({ id, name }: Waiting): Promise<void> {
    if (await this.#ask({ type: 'deny', participant: id })) notices.say(t('lobby_live_denied', { name }));
  }

  async setLobby(on: boolean): Promise<void> {
    const lobby = on ? 'ask' : 'off';
    this.#mine = lobby;
    if (await this.#ask({ type: 'set_lobby', lobby })) notices.say(t(on ? 'lobby_live_on' : 'lobby_live_off'));
    else this.#mine = undefined;
  }

  #came(one: Waiting): void {
    if (!this.waiting.has(one.id)) {
      this.#knocked.add(one.id);
      this.#bell ??= setTimeout(() => this.#ring(), KNOCK_MS);
    }
    this.waiting.set(one.id, one);
  }

  #ring(): void {
    this.#bell = undefined;
    const names = [...this.#knocked].map((id) => this.waiting.get(id)?.name).filter((name) => name !== undefined);
    this.#knocked.clear();
    if (names.length === 0) return;
    chime('knock');
    const shown = names.length > 3 ? [...names.slice(0, 2), `+${names.length - 2}`] : names;
    const text = t('lobby_knock', { count: names.length, names: list(shown) });
    if (this.page?.open) return notices.say(text);
    notices.toast(text, 'info', { key: TOAST, label: t('lobby_knock_show'), act: () => this.page?.show() });
  }

  #changed(options: RoomOptions): void {
    const before = this.options;
    this.options = options;
    const mine = this.#mine === options.lobby;
    this.#mine = undefined;
    if (!this.#moderator()) return;
    const told: (Key | false)[] = [
      before.lobby !== options.lobby && !mine && (options.lobby === 'ask' ? 'lobby_live_on' : 'lobby_live_off'),
      before.mute_on_start !== options.mute_on_start && (options.mute_on_start ? 'options_muted_on' : 'options_muted_off'),
      before.start !== options.start && (options.start === 'owner' ? 'options_start_owner' : 'options_start_anyone'),
    ];
    for (const key of told) if (key) notices.toast(t(key));
  }
}

const TOAST = 'lobby';
const KNOCK_MS = 500;
