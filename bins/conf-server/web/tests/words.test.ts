/** The messages: complete, formattable, used, and in German with Sie. */
import { parse, TYPE, type MessageFormatElement } from '@formatjs/icu-messageformat-parser';
import { IntlMessageFormat } from 'intl-messageformat';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import baseDe from '../src/locales/de.json';
import baseEn from '../src/locales/en.json';
import portalDe from '../src/locales/portal.de.json';
import portalEn from '../src/locales/portal.en.json';
import { pick, words } from '../src/lib/i18n.svelte';

type Messages = Record<string, string>;
const de = { ...baseDe, ...portalDe };
const en = { ...baseEn, ...portalEn };

test('both languages have the same messages', () => {
  expect(Object.keys(de).sort()).toEqual(Object.keys(en).sort());
});

test.each(Object.keys(en))('%s takes the same values in both languages', (key) => {
  expect([...names((de as Messages)[key]!)].sort()).toEqual([...names((en as Messages)[key]!)].sort());
});

test.each(['de', 'en'])('every message in %s can be formatted', (language) => {
  for (const message of Object.values((language === 'de' ? de : en) as Messages)) {
    const values = Object.fromEntries([...names(message)].map((name) => [name, 2]));
    expect(String(new IntlMessageFormat(message, language).format(values))).not.toContain('{');
  }
});

test('no message has two places', () => {
  expect(Object.keys(portalEn).filter((key) => key in baseEn)).toEqual([]);
});

test('guests get no message that comes only with the pages for accounts', () => {
  const guests = ['src/lib', 'src/meeting', 'src/pages', 'src/prejoin'].flatMap(sources).join('\n') + readFileSync('src/Room.svelte', 'utf8');
  expect(Object.keys(portalEn).filter((key) => guests.includes(`t('${key}'`))).toEqual([]);
});

test('the words of the portal come with it, and stay when the language changes', async () => {
  await words.use('en');
  expect(words.messages.rooms_title).toBeUndefined();
  await words.add('portal');
  expect(words.messages.rooms_title).toBe('Rooms');
  await words.use('de');
  expect(words.messages.rooms_title).toBe('Räume');
  expect(words.messages.app_skip).toBe('Zum Inhalt springen');
});

test('no message is left that no page uses', () => {
  const source = sources('src').join('\n');
  const built = [/^app_theme_/, /^device_/, /^page_ended_/, /^help_/, /^live_/, /^welcome_(title|lead)_/, /^role_/];
  const unused = Object.keys(en).filter((key) => !source.includes(`'${key}'`) && !built.some((prefix) => prefix.test(key)));
  expect(unused).toEqual([]);
});

test('German speaks to people with Sie', () => {
  for (const message of Object.values(de)) expect(message).not.toMatch(/\b(du|dich|dir|dein|deine|deinen|euch)\b/i);
});

test('the language is the one that was chosen, else the first one the browser asks for that we have', () => {
  expect(pick('de', ['en-US'])).toBe('de');
  expect(pick(undefined, ['fr-FR', 'de-AT', 'en'])).toBe('de');
  expect(pick(undefined, ['ja'])).toBe('en');
});

function names(message: string): Set<string> {
  const found = new Set<string>();
  const walk = (elements: MessageFormatElement[]) => {
    for (const element of elements) {
      if (element.type !== TYPE.literal && element.type !== TYPE.pound && element.type !== TYPE.tag) found.add(element.value);
      if (element.type === TYPE.plural || element.type === TYPE.select) Object.values(element.options).forEach((option) => walk(option.value));
    }
  };
  walk(parse(message));
  return found;
}

function sources(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return sources(path);
    return /\.(svelte|ts)$/.test(entry.name) ? [readFileSync(path, 'utf8')] : [];
  });
}
