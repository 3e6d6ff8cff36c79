/** Waiting to be let in, and the list of those who wait: the stores behind both pages. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { After } from '../src/lib/after';
import type { Admission } from '../src/lib/api';
import { words } from '../src/lib/i18n.svelte';
import { Meeting } from '../src/lib/meeting.svelte';
import { notices } from '../src/lib/notices.svelte';
import { expectations } from '../src/lib/room';
import type { Visit } from '../src/lib/visit';
import type { Command, RoomOptions, Waiting } from '../src/lib/wire';
import { Door } from '../src/lobby/door.svelte';
import { Lobby } from '../src/lobby/lobby.svelte';

vi.mock('../src/lib/sound', () => ({ chime: (kind: string) => chimes.push(kind), testSound: () => undefined }));

/** The websocket of the page under test, and what it was told. */
class FakeSocket {
  static last: FakeSocket;
  readyState = 1;
  sent: string[] = [];
  onopen: (() => void) | null = null;
  onmessage: ((event: { data: unknown }) => void) | null = null;
  onclose: (() => void) | null = null;
  constructor() {
    FakeSocket.last = this;
  }
  send(text: string): void {
    this.sent.push(text);
  }
  close(): void {
    this.readyState = 3;
  }
  tell(message: object): void {
    this.onmessage?.({ data: JSON.stringify(message) });
  }
}

const chimes: string[] = [];
const OPEN: RoomOptions = { mute_on_start: false, lobby: 'off', start: 'anyone' };
const ASK: RoomOptions = { ...OPEN, lobby: 'ask' };
const room = { code: 'c', title: 'Planning', meeting: null, limits: { participants: 50, name_chars: 60 }, options: ASK };
const admission: Admission = { participant: 'p-1', secret: 's', role: 'viewer', waiting: true, media_token: null };
const visit: Visit = { code: 'c', room, admission, name: 'Ben', tracks: {} };
const person = (id: string, role = 'viewer') => ({ id, name: id, role, presence: 'connected', joined_at: '2026-01-01T00:00:00Z', hand: false, microphone: 'off', camera: 'off', screen: false });
const welcome = (sequence: number, waiting: Waiting[] = [], role = 'viewer') => ({
  type: 'welcome',
  sequence,
  you: 'p-1',
  snapshot: { meeting: { id: 'm', started_at: '2026-01-01T00:00:00Z', options: ASK }, limits: { participants: 50 }, participants: [person('p-1', role)], chat: [], waiting },
});
const waits = (id: string, name: string, at = 0): Waiting => ({ id, name, since: `2026-01-01T00:00:0${at}Z` });

/** What the server answers to the next joins: a status, or an admission. */
let answers: (number | Partial<Admission>)[] = [];
let over: After[];
let entered: { admission: Admission; connection: NonNullable<Visit['connection']> }[];
let lobby: Lobby;

beforeEach(async () => {
  await words.use('en');
  vi.useFakeTimers();
  vi.stubGlobal('WebSocket', FakeSocket);
  vi.stubGlobal('fetch', async () => {
    const answer = answers.shift() ?? {};
    const status = typeof answer === 'number' ? answer : 200;
    const body = typeof answer === 'number' ? { error: { code: 'participant_gone' } } : { ...admission, ...answer };
    return { ok: status === 200, status, json: async () => body };
  });
  sessionStorage.clear();
  notices.toasts = [];
  chimes.length = 0;
  answers = [];
  over = [];
  entered = [];
  lobby = new Lobby(visit, { admitted: (admission, connection) => entered.push({ admission, connection }), over: (after) => over.push(after) });
  lobby.start();
});

afterEach(() => {
  lobby.stop();
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

test('the place in the line is what the server said last', () => {
  expect(lobby.place).toBeUndefined();
  FakeSocket.last.tell({ type: 'waiting', position: 3, reason: 'not_started' });
  expect(lobby.place).toEqual({ position: 3, reason: 'not_started' });
  FakeSocket.last.tell({ type: 'waiting', position: 1, reason: 'lobby' });
  expect(lobby.place).toEqual({ position: 1, reason: 'lobby' });
});

test('let in, it chimes, fetches the media token and hands on the connection with all that came on it', async () => {
  answers = [{ waiting: false, media_token: 'fresh' }];
  FakeSocket.last.tell({ type: 'waiting', position: 1, reason: 'lobby' });
  FakeSocket.last.tell(welcome(0));
  FakeSocket.last.tell({ type: 'event', sequence: 1, event: { type: 'participant_joined', participant: person('p-2') } });
  expect(lobby.admitted).toBe(true);
  expect(chimes).toEqual(['admitted']);
  await vi.advanceTimersByTimeAsync(10);
  expect(entered[0]?.admission).toMatchObject({ participant: 'p-1', media_token: 'fresh' });
  expect(entered[0]?.connection.told.map(({ type }) => type)).toEqual(['welcome', 'event']);
  expect(JSON.parse(sessionStorage.getItem('conf.guest.c') ?? '')).toEqual({ participant: 'p-1', secret: 's' });
  lobby.stop();
  expect(FakeSocket.last.readyState, 'the page that goes leaves it open').toBe(1);
});

test('a token that cannot be had yet is asked for again; a place that is gone ends the wait', async () => {
  answers = [503, { waiting: false, media_token: 'late' }];
  FakeSocket.last.tell(welcome(0));
  await vi.advanceTimersByTimeAsync(300);
  expect(entered[0]?.admission.media_token).toBe('late');

  const other = new Lobby(visit, { admitted: () => undefined, over: (after) => over.push(after) });
  other.start();
  answers = [410];
  FakeSocket.last.tell(welcome(0));
  await vi.advanceTimersByTimeAsync(10);
  expect(over).toEqual([{ kind: 'lost' }]);
});

test.each([
  ['denied', { kind: 'denied' }],
  ['ended', { kind: 'ended', reason: 'moderator' }],
  ['unknown', { kind: 'lost' }],
  ['replaced', { kind: 'replaced' }],
])('the goodbye %s leads to a page of its own', (reason, after) => {
  FakeSocket.last.tell({ type: 'waiting', position: 1, reason: 'lobby' });
  FakeSocket.last.tell({ type: 'goodbye', reason });
  expect(over).toEqual([after]);
  expect(FakeSocket.last.readyState).toBe(3);
});

test('leaving asks the server and does not depend on its answer', async () => {
  FakeSocket.last.tell({ type: 'waiting', position: 1, reason: 'lobby' });
  const left = lobby.leave();
  expect(FakeSocket.last.sent.at(-1)).toContain('"leave"');
  await vi.advanceTimersByTimeAsync(900);
  await left;
  expect(over).toEqual([{ kind: 'lobby_left' }]);
});

test('the meeting goes on where the lobby stopped, on the same connection', async () => {
  answers = [{ waiting: false, media_token: 'fresh' }];
  FakeSocket.last.tell(welcome(0));
  FakeSocket.last.tell({ type: 'event', sequence: 1, event: { type: 'participant_joined', participant: person('p-2') } });
  await vi.advanceTimersByTimeAsync(10);
  const meeting = new Meeting({ ...visit, ...entered[0]! }, (after) => over.push(after));
  vi.spyOn(meeting.media, 'start').mockResolvedValue();
  const before = FakeSocket.last;
  meeting.start();
  expect(FakeSocket.last).toBe(before);
  expect(meeting.link).toBe('connected');
  expect(meeting.ready).toBe(true);
  before.tell({ type: 'event', sequence: 2, event: { type: 'participant_left', id: 'p-2', reason: 'left' } });
  expect([...meeting.people.keys()]).toEqual(['p-1']);
  before.tell({ type: 'goodbye', reason: 'removed' });
  expect(over).toEqual([{ kind: 'removed' }]);
});

test('a moderator has the line from the snapshot on, and loses it with the role', () => {
  const meeting = new Meeting({ ...visit, admission: { ...admission, waiting: false, media_token: 't' } }, () => undefined);
  vi.spyOn(meeting.media, 'start').mockResolvedValue();
  meeting.start();
  const socket = FakeSocket.last;
  socket.tell(welcome(0, [waits('p-9', 'Cem', 1), waits('p-8', 'Dua', 0)], 'moderator'));
  expect(meeting.door.line.map(({ name }) => name)).toEqual(['Dua', 'Cem']);
  socket.tell({ type: 'event', sequence: 1, event: { type: 'waiting_removed', id: 'p-8' } });
  socket.tell({ type: 'event', sequence: 2, event: { type: 'options_changed', options: OPEN } });
  expect(meeting.door.line.map(({ name }) => name)).toEqual(['Cem']);
  expect(meeting.door.options).toEqual(OPEN);
  socket.tell({ type: 'event', sequence: 3, event: { type: 'participant_changed', participant: person('p-1') } });
  expect(meeting.door.line).toEqual([]);
  meeting.stop();
});

function door(taken = true) {
  const asked: Command[] = [];
  const made = new Door(ASK, async (command) => (asked.push(command), taken), () => true);
  return { made, asked };
}
const added = (waiting: Waiting) => ({ type: 'waiting_added', waiting }) as const;

test('those who knock within a moment are told of together, with one sound, and no more once nobody waits', async () => {
  const { made } = door();
  made.handle(added(waits('p-8', 'Dua')));
  made.handle(added(waits('p-9', 'Cem')));
  await vi.advanceTimersByTimeAsync(600);
  expect(notices.toasts.map(({ text }) => text)).toEqual(['Dua and Cem are waiting in the lobby']);
  expect(chimes).toEqual(['knock']);
  made.handle(added(waits('p-9', 'Cem'))); // told again, as after a promotion
  await vi.advanceTimersByTimeAsync(600);
  expect(chimes).toHaveLength(1);
  made.handle({ type: 'waiting_removed', id: 'p-8' });
  expect(notices.toasts).toHaveLength(1);
  made.handle({ type: 'waiting_removed', id: 'p-9' });
  expect(notices.toasts).toEqual([]);
});

test('with the list open nobody needs a toast; the words are for the ear', async () => {
  const { made } = door();
  made.page = { open: true, show: () => undefined };
  made.handle(added(waits('p-8', 'Dua')));
  await vi.advanceTimersByTimeAsync(600);
  expect(notices.toasts).toEqual([]);
  expect(notices.polite).toBe('Dua is waiting in the lobby');
  expect(chimes).toEqual(['knock']);
});

test('the toast opens the list', async () => {
  const { made } = door();
  let shown = false;
  made.page = { open: false, show: () => (shown = true) };
  made.handle(added(waits('p-8', 'Dua')));
  await vi.advanceTimersByTimeAsync(600);
  notices.toasts[0]?.offer?.act();
  expect(shown).toBe(true);
});

test('what can be done at the door is what the server is asked', async () => {
  const { made, asked } = door();
  const dua = waits('p-8', 'Dua');
  await made.admit(dua);
  await made.deny(dua);
  await made.admitAll();
  await made.setLobby(false);
  expect(asked).toEqual([
    { type: 'admit', participant: 'p-8' },
    { type: 'deny', participant: 'p-8' },
    { type: 'admit_all' },
    { type: 'set_lobby', lobby: 'off' },
  ]);
});

test('a switched lobby is told to the other moderators, not to who switched it', async () => {
  const { made } = door();
  await made.setLobby(false);
  made.handle({ type: 'options_changed', options: OPEN });
  expect(notices.toasts).toEqual([]);
  made.handle({ type: 'options_changed', options: { ...ASK, mute_on_start: true } });
  expect(notices.toasts.map(({ text }) => text)).toEqual(['The lobby is now on', 'Newcomers now start muted']);
});

test('the pre-join page knows what awaits whom', () => {
  const of = (more: object) => expectations({ ...room, ...more });
  expect(of({})).toMatchObject({ lobby: true, asks: true, notBegun: false, opens: false });
  expect(of({ you: { name: 'Ada', owner: true } })).toMatchObject({ lobby: true, asks: false, opens: true });
  expect(of({ you: { name: 'Eve', owner: false } })).toMatchObject({ asks: true, opens: false });
  expect(of({ options: { ...OPEN, start: 'owner' } })).toMatchObject({ notBegun: true, asks: false });
  expect(of({ options: { ...OPEN, start: 'owner' }, meeting: { participants: 1 } })).toMatchObject({ notBegun: false });
  expect(of({ options: { ...OPEN, mute_on_start: true } })).toMatchObject({ muted: true });
  expect(of({ options: undefined })).toEqual({ lobby: false, asks: false, notBegun: false, opens: false, muted: false });
});
