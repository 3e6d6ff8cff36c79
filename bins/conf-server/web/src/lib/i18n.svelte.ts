/**
 * Words: ICU messages from `locales/*.json`, one lazy chunk per language.
 *
 * `t` reads reactive state, so every text on the page follows a change of language at once.
 */
import { IntlMessageFormat } from 'intl-messageformat';
import type en from '../locales/en.json';
import { preferences } from './prefs.svelte';

export type Key = keyof typeof en;
export type Values = Record<string, string | number | Date>;

export const LANGUAGES = { de: 'Deutsch', en: 'English' } as const;
export type Language = keyof typeof LANGUAGES;

const loaders: Record<Language, () => Promise<{ default: Record<string, string> }>> = {
  de: () => import('../locales/de.json'),
  en: () => import('../locales/en.json'),
};

class Words {
  language = $state<Language>('en');
  messages = $state.raw<Record<string, string>>({});
  formats = new Map<string, IntlMessageFormat>();

  async use(language: Language): Promise<void> {
    const messages = (await loaders[language]()).default;
    this.formats = new Map();
    this.language = language;
    this.messages = messages;
    document.documentElement.lang = language;
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

export function list(items: readonly string[]): string {
  return new Intl.ListFormat(words.language, { type: 'conjunction' }).format(items);
}
