/**
 * Words: ICU messages from `locales/*.json`, one lazy chunk per language and part.
 *
 * `t` reads reactive state, so every text on the page follows a change of language at once.
 */
import { IntlMessageFormat } from 'intl-messageformat';
import type en from '../locales/en.json';
import type portal from '../locales/portal.en.json';
import { preferences } from './prefs.svelte';

export type Key = keyof typeof en | keyof typeof portal;
export type Values = Record<string, string | number | Date>;

export const LANGUAGES = { de: 'Deutsch', en: 'English' } as const;
export type Language = keyof typeof LANGUAGES;

type Load = () => Promise<{ default: Record<string, string> }>;

/** What guests read, and what only people with an account do. */
const parts: Record<'base' | 'portal', Record<Language, Load>> = {
  base: { de: () => import('../locales/de.json'), en: () => import('../locales/en.json') },
  portal: { de: () => import('../locales/portal.de.json'), en: () => import('../locales/portal.en.json') },
};
type Part = keyof typeof parts;

class Words {
  language = $state<Language>('en');
  messages = $state.raw<Record<string, string>>({});
  formats = new Map<string, IntlMessageFormat>();
  #parts: Part[] = ['base'];

  async use(language: Language, wanted: Part[] = this.#parts): Promise<void> {
    const loaded = await Promise.all(wanted.map((part) => parts[part][language]()));
    this.#parts = wanted;
    this.formats = new Map();
    this.language = language;
    this.messages = Object.assign({}, ...loaded.map((part) => part.default)) as Record<string, string>;
    document.documentElement.lang = language;
  }

  async add(part: Part): Promise<void> {
    if (!this.#parts.includes(part)) await this.use(this.language, [...this.#parts, part]);
  }
}

export const words = new Words();

/** Loads the chosen language, or the best one the browser asks for. */
export function start(): Promise<void> {
  return words.use(pick(preferences.language, navigator.languages));
}

export function pick(chosen: string | undefined, asked: readonly string[]): Language {
  for (const tag of [chosen, ...asked]) {
    const short = tag?.toLowerCase().split('-')[0];
    if (short && Object.hasOwn(LANGUAGES, short)) return short as Language;
  }
  return 'en';
}

export async function choose(language: Language): Promise<void> {
  await words.use(language);
  preferences.change({ language });
}

/** The notice of the server, in the language that is shown here. */
export function privacyPage(): string {
  return `/privacy?lang=${words.language}`;
}

export function t(key: Key, values?: Values): string {
  const { messages, language } = words;
  const message = messages[key];
  if (message === undefined) return key;
  let format = words.formats.get(key);
  if (!format) {
    format = new IntlMessageFormat(message, language);
    words.formats.set(key, format);
  }
  return String(format.format(values));
}

export function time(date: Date | string): string {
  return new Intl.DateTimeFormat(words.language, { hour: '2-digit', minute: '2-digit' }).format(new Date(date));
}

export function day(date: Date | string): string {
  return new Intl.DateTimeFormat(words.language, { weekday: 'long', day: 'numeric', month: 'long' }).format(new Date(date));
}

/** A day and a time, short enough for a table. */
export function moment(date: Date | string): string {
  return new Intl.DateTimeFormat(words.language, { dateStyle: 'medium', timeStyle: 'short' }).format(new Date(date));
}

export function list(items: readonly string[]): string {
  return new Intl.ListFormat(words.language, { type: 'conjunction' }).format(items);
}
