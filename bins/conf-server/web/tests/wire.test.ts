/** The client against the same JSON files that pin the server's side (conf-core/tests/golden). */
import { readdirSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { expect, test } from 'vitest';
import en from '../src/locales/en.json';
import { words } from '../src/lib/i18n.svelte';
import { explain } from '../src/lib/refusal';
import { MeetingSocket, type Told } from '../src/lib/socket';
import type { Command, Refusal, ServerMessage } from '../src/lib/wire';

const folder = resolve(process.cwd(), '../../../conf-core/tests/golden');
const files = readdirSync(folder).filter((name) => name.endsWith('.json'));
const read = (name: string) => JSON.parse(readFileSync(resolve(folder, name), 'utf8'));

function connected(identity = { room: 'r', participant: 'p', secret: 's' }) {
  const fake = { readyState: 1, sent: [] as string[], send: (text: string) => void fake.sent.push(text), close: () => undefined } as unknown as WebSocket & { sent: string[] };
  const told: Told[] = [];
  const goodbyes: string[] = [];
  const socket = new MeetingSocket({ url: '', ...identity, told: (message) => told.push(message), link: () => undefined, goodbye: (reason) => goodbyes.push(reason), open: () => fake });
  socket.start();
  const tell = (message: unknown) => fake.onmessage?.({ data: JSON.stringify(message) } as MessageEvent);
  const sent = () => fake.sent.map((text) => JSON.parse(text) as Record<string, unknown>);
  return { fake, socket, told, goodbyes, tell, sent };
}

test('the golden files are there', () => {
  expect(files.length).toBeGreaterThan(30);
});

test.each(files.filter((name) => name.startsWith('client_command_')))('%s is what the client sends', (name) => {
  const golden = read(name) as { command: Command };
  const { socket, tell, sent } = connected();
  tell(read('server_welcome.json'));
  void socket.command(golden.command);
  expect({ ...sent().at(-1), request: 0 }).toEqual({ ...golden, request: 0 });
  socket.close();
});

test('client_hello.json is what the client sends when it comes back', () => {
  const golden = read('client_hello.json');
  const { socket, fake, tell, sent } = connected({ room: golden.room, participant: golden.participant, secret: golden.secret });
  tell({ ...read('server_welcome.json'), sequence: golden.resume_from });
  fake.onopen?.(new Event('open'));
  expect(sent().at(-1)).toEqual(golden);
  socket.close();
});

test.each(files.filter((name) => name.startsWith('server_event_')))('%s is told to the meeting', (name) => {
  const golden = read(name) as Extract<ServerMessage, { type: 'event' }>;
  const { socket, told, tell } = connected();
  tell({ ...read('server_welcome.json'), sequence: golden.sequence - 1 });
  tell(golden);
  expect(told.at(-1)).toEqual(golden);
  socket.close();
});

test.each(files.filter((name) => name.startsWith('server_goodbye_')))('%s ends the visit, or comes back', (name) => {
  const golden = read(name);
  const { socket, goodbyes, tell } = connected();
  tell(golden);
  expect(goodbyes).toEqual(golden.reason === 'too_slow' ? [] : [golden.reason]);
  socket.close();
});

test.each(files.filter((name) => name.startsWith('server_refused_')))('%s has words', (name) => {
  words.messages = en;
  const { refusal } = read(name) as { refusal: Refusal };
  const text = explain(refusal);
  expect(text).not.toMatch(/[{}_]/);
  if ('limit' in refusal && refusal.type === 'chat_too_long') expect(text).toContain('2,000');
});
