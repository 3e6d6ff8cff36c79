/** Short words that pass: toasts for the eye, live regions for the ear. Many of a kind are told together. */
import { SvelteMap } from 'svelte/reactivity';
import { list, t } from './i18n.svelte';

export interface Toast {
  id: number;
  text: string;
  tone: 'info' | 'warning' | 'ok';
  offer?: Offer;
}

/** What a click in the toast does. A later toast with the same key takes its place. */
export interface Offer {
  key: string;
  label: string;
  act: () => void;
}

type Bundled = 'live_joined' | 'live_left' | 'live_chat';

class Notices {
  toasts = $state<Toast[]>([]);
  polite = $state('');
  assertive = $state('');
  #next = 1;
  #bundles = new SvelteMap<Bundled, string[]>();
  #timer: ReturnType<typeof setTimeout> | undefined;

  toast(text: string, tone: Toast['tone'] = 'info', offer?: Offer): void {
    this.say(text);
    if (offer) this.withdraw(offer.key);
    if (this.toasts.some((toast) => toast.text === text)) return;
    const id = (this.#next += 1);
    this.toasts = [...this.toasts.slice(1 - MOST), { id, text, tone, offer }];
    setTimeout(() => this.dismiss(id), offer ? OFFERED_MS : SHOWN_MS);
  }

  /** What a toast offered is no longer there to be done. */
  withdraw(key: string): void {
    this.toasts = this.toasts.filter((toast) => toast.offer?.key !== key);
  }

  dismiss(id: number): void {
    this.toasts = this.toasts.filter((toast) => toast.id !== id);
  }

  /** For the ear only. The region is emptied first: the same words twice would not be read again. */
  say(text: string): void {
    this.polite = '';
    setTimeout(() => (this.polite = text), SAY_MS);
  }

  /** Only for what must not wait: I am muted, I am being removed. */
  alert(text: string): void {
    this.assertive = '';
    setTimeout(() => (this.assertive = text), SAY_MS);
  }

  /** Collects for a moment, then says it in one sentence. */
  bundle(kind: Bundled, name: string): void {
    this.#bundles.set(kind, [...(this.#bundles.get(kind) ?? []), name]);
    this.#timer ??= setTimeout(() => this.#tell(), BUNDLE_MS);
  }

  #tell(): void {
    this.#timer = undefined;
    const sentences = [...this.#bundles].map(([kind, names]) => {
      const distinct = [...new Set(names)];
      const shown = distinct.length > 4 ? [...distinct.slice(0, 3), `+${distinct.length - 3}`] : distinct;
      return t(kind, { count: kind === 'live_chat' ? names.length : distinct.length, names: list(shown) });
    });
    this.#bundles.clear();
    this.say(sentences.join('. '));
  }
}

export const notices = new Notices();

const MOST = 3;
const SAY_MS = 60;
const SHOWN_MS = 6_000;
const OFFERED_MS = 12_000;
const BUNDLE_MS = 1_500;
