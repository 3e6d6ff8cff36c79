/** Every way the server can refuse has words in both languages: the lists are read from its own sources. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { afterError } from '../src/lib/after';
import { ApiError } from '../src/lib/api';
import { LANGUAGES, words, type Language } from '../src/lib/i18n.svelte';
import { explain } from '../src/lib/refusal';
import type { Refusal } from '../src/lib/wire';
import { explainPortal } from '../src/portal/words';

const source = (path: string) => readFileSync(resolve(process.cwd(), path), 'utf8');
const union = /export type Refusal = ([^;]*);/.exec(source('src/lib/wire.ts'))?.[1] ?? '';
const refusals = [...union.matchAll(/"type": "(\w+)"/g)].map(([, type]) => type!);
const codes = [...source('../src/http/error.rs').matchAll(/=> "(\w+)",/g)].map(([, code]) => code!);

test('the lists were found', () => {
  expect(refusals).toContain('chat_too_long');
  expect(refusals.length).toBeGreaterThan(12);
  expect(codes).toContain('too_many_meetings');
  expect(codes.length).toBeGreaterThan(12);
});

describe.each(Object.keys(LANGUAGES) as Language[])('in %s', (language) => {
  test.each(refusals)('the refusal %s has words of its own and its number', async (type) => {
    await words.use(language);
    const text = explain({ type, limit: 1_234, action: 'mute', retry_after_ms: 41_000 } as unknown as Refusal);
    expect(text).not.toBe(words.messages.refusal_other);
    check(text, new RegExp(`"type": "${type}",[^}]*limit: number`).test(union), language);
    if (type === 'too_many_requests') expect(text).toContain('41');
  });

  test.each([...codes, 'offline', 'unreadable'])('the error %s has words of its own and its number', async (code) => {
    await words.use(language);
    await words.add('portal');
    const text = explainPortal(new ApiError(code, 400, 1_234, 41, 'too_short'));
    expect(text).not.toBe(words.messages.error_unexpected);
    check(text, ['meeting_full', 'lobby_full', 'too_many_meetings', 'name_invalid', 'title_invalid', 'too_many_rooms', 'password_unfit'].includes(code), language);
    if (['too_many_requests', 'busy'].includes(code)) expect(text).toContain('41');
  });

  test.each(['too_short', 'too_long', 'too_simple'])('a password that is %s is told so', async (reason) => {
    await words.use(language);
    await words.add('portal');
    check(explainPortal(new ApiError('password_unfit', 422, 1_234, undefined, reason)), reason !== 'too_simple', language);
  });
});

test('what only a newer server says is admitted, not guessed', async () => {
  await words.use('en');
  expect(explain({ type: 'from_the_future' } as unknown as Refusal)).toBe(words.messages.refusal_other);
  expect(explainPortal(new ApiError('from_the_future', 500))).toBe(words.messages.error_unexpected);
  expect(afterError(new ApiError('unavailable', 503))).toMatchObject({ kind: 'failed', error: { code: 'unavailable' } });
});

function check(text: string, numbered: boolean, language: Language): void {
  expect(text).not.toMatch(/[{}_]/);
  expect(text).toMatch(/\.$/);
  if (numbered) expect(text).toContain(new Intl.NumberFormat(language).format(1_234));
}
