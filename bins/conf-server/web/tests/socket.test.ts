/** The meeting websocket against a fake one and a fake clock. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { MeetingSocket, type Link, type Told } from '../src/lib/socket';
import { VERSION } from '../src/lib/wire';

/** A connection that the test opens, feeds and cuts. */
class FakeSocket {
  static all: FakeSocket[] = [];
  readyState = 0;
  sent: { type: string; [key: string]: unknown }[] = [];
  onopen: (() => void) | null = null;
  onmessage: ((event: { data: unknown }) => void) | null = null;
  onclose: (() => void) | null = null;

  constructor() {
    FakeSocket.all.push(this);
  }
  send(text: string): void {
    this.sent.push(JSON.parse(text));
  }
  close(): void {
    this.readyState = 3;
  }
  accept(): void {
    this.readyState = 1;
    this.onopen?.();
  }
  tell(message: object): void {
    this.onmessage?.({ data: JSON.stringify(message) });
  }
  cut(): void {
    this.readyState = 3;
    this.onclose?.();
  }
}

let told: Told[];
let links: Link[];
let goodbyes: string[];
let socket: MeetingSocket;
const latest = () => FakeSocket.all.at(-1)!;
const welcome = (sequence: number) => ({ type: 'welcome', sequence, you: 'p-1', snapshot: {} });
const event = (sequence: number) => ({ type: 'event', sequence, event: { type: 'chat', message: {} } });

beforeEach(() => {
  vi.useFakeTimers();
  FakeSocket.all = [];
  told = [];
  links = [];
  goodbyes = [];
  socket = new MeetingSocket({
    url: 'ws://test',
    room: 'open',
    participant: 'p-1',
    secret: 's',
    told: (message) => told.push(message),
    link: (link) => links.push(link),
    goodbye: (reason) => goodbyes.push(reason),
    open: () => new FakeSocket() as unknown as WebSocket,
  });
  socket.start();
});

afterEach(() => {
  socket.close();
  vi.useRealTimers();
});

test('the first hello asks for everything', () => {
  latest().accept();
  expect(latest().sent).toEqual([{ type: 'hello', version: VERSION, room: 'open', participant: 'p-1', secret: 's', resume_from: null }]);
});

test('after a cut it comes back within three seconds and asks for what it missed', async () => {
  latest().accept();
  latest().tell(welcome(7));
  latest().tell(event(8));
  latest().cut();
  expect(links.at(-1)).toBe('reconnecting');
  await vi.advanceTimersByTimeAsync(3_000);
  expect(FakeSocket.all.length).toBeGreaterThan(1);
  latest().accept();
  expect(latest().sent[0]).toMatchObject({ type: 'hello', resume_from: 8 });
  latest().tell({ type: 'resumed', sequence: 8 });
  latest().tell(event(9));
  expect(links.at(-1)).toBe('connected');
  expect(told.map(({ type }) => type)).toEqual(['welcome', 'event', 'resumed', 'event']);
});

test('an event that came already is not told twice', () => {
  latest().accept();
  latest().tell(welcome(3));
  latest().tell(event(4));
  latest().tell(event(4));
  expect(told.filter(({ type }) => type === 'event')).toHaveLength(1);
});

test('a gap in the numbers is a cut: it resumes from the last number it has', async () => {
  latest().accept();
  latest().tell(welcome(3));
  latest().tell(event(5));
  expect(told).toHaveLength(1);
  await vi.advanceTimersByTimeAsync(400);
  latest().accept();
  expect(latest().sent[0]).toMatchObject({ resume_from: 3 });
});

test('a welcome instead of a resume starts the count anew', async () => {
  latest().accept();
  latest().tell(welcome(3));
  latest().cut();
  await vi.advanceTimersByTimeAsync(400);
  latest().accept();
  latest().tell(welcome(90));
  latest().tell(event(91));
  expect(told.at(-1)).toMatchObject({ type: 'event', sequence: 91 });
});

test('the waits grow to two seconds and no further', async () => {
  for (let at = 0; at < 8; at += 1) {
    latest().cut();
    await vi.advanceTimersByTimeAsync(2_400);
  }
  expect(FakeSocket.all.length).toBe(9);
});

test('silence is a cut', async () => {
  latest().accept();
  latest().tell(welcome(1));
  await vi.advanceTimersByTimeAsync(3_100);
  expect(latest().sent.at(-1)).toEqual({ type: 'ping' });
  await vi.advanceTimersByTimeAsync(5_000);
  expect(FakeSocket.all.length).toBe(2);
});

test('answers find the question they belong to, and a cut leaves none hanging', async () => {
  latest().accept();
  latest().tell(welcome(1));
  const first = socket.command({ type: 'mute_all' });
  const second = socket.command({ type: 'send_chat', text: 'x' });
  const third = socket.command({ type: 'end' });
  latest().tell({ type: 'refused', request: 2, refusal: { type: 'chat_too_long', limit: 2_000 } });
  latest().tell({ type: 'done', request: 1 });
  latest().cut();
  expect(await first).toEqual({ type: 'done' });
  expect(await second).toEqual({ type: 'refused', refusal: { type: 'chat_too_long', limit: 2_000 } });
  expect(await third).toEqual({ type: 'unsent' });
  expect(await socket.command({ type: 'mute_all' })).toEqual({ type: 'unsent' });
});

test('a goodbye is the end, except for too_slow, which comes back', async () => {
  latest().accept();
  latest().tell(welcome(1));
  latest().tell({ type: 'goodbye', reason: 'too_slow' });
  await vi.advanceTimersByTimeAsync(400);
  expect(FakeSocket.all.length).toBe(2);
  latest().accept();
  latest().tell({ type: 'goodbye', reason: 'removed' });
  await vi.advanceTimersByTimeAsync(60_000);
  expect(goodbyes).toEqual(['removed']);
  expect(FakeSocket.all.length).toBe(2);
});

test('after twenty seconds without a connection the link counts as lost, and a click tries at once', async () => {
  latest().accept();
  latest().tell(welcome(1));
  latest().cut();
  for (let at = 0; at < 14; at += 1) {
    await vi.advanceTimersByTimeAsync(2_400);
    latest().cut();
  }
  expect(links.at(-1)).toBe('lost');
  const before = FakeSocket.all.length;
  socket.retry();
  expect(FakeSocket.all.length).toBe(before + 1);
});

test('in the lobby the connection lives, comes back after a cut and can still ask', async () => {
  const waiting = { type: 'waiting', position: 2, reason: 'lobby' };
  latest().accept();
  latest().tell(waiting);
  expect(links).toEqual(['connected']);
  await vi.advanceTimersByTimeAsync(3_100);
  expect(latest().sent.at(-1)).toEqual({ type: 'ping' });
  latest().cut();
  expect(links.at(-1)).toBe('reconnecting');
  await vi.advanceTimersByTimeAsync(400);
  latest().accept();
  expect(latest().sent[0]).toMatchObject({ type: 'hello', resume_from: null });
  latest().tell({ ...waiting, position: 1 });
  expect(links.at(-1)).toBe('connected');
  void socket.command({ type: 'leave' });
  expect(latest().sent.at(-1)).toMatchObject({ command: { type: 'leave' } });
  latest().tell(welcome(0));
  latest().tell(event(1));
  expect(told.map(({ type }) => type)).toEqual(['waiting', 'waiting', 'welcome', 'event']);
});

test('who is turned away is told so, and the connection does not come back', async () => {
  latest().accept();
  latest().tell({ type: 'waiting', position: 1, reason: 'lobby' });
  latest().tell({ type: 'goodbye', reason: 'denied' });
  await vi.advanceTimersByTimeAsync(60_000);
  expect(goodbyes).toEqual(['denied']);
  expect(FakeSocket.all.length).toBe(1);
});

test('a connection that was handed on tells its new owner, beginning with the state of the link', () => {
  latest().accept();
  latest().tell({ type: 'waiting', position: 1, reason: 'lobby' });
  latest().tell(welcome(4));
  const heard: string[] = [];
  socket.handTo({ told: ({ type }) => heard.push(type), link: (link) => heard.push(link), goodbye: (reason) => heard.push(reason) });
  latest().tell(event(5));
  latest().tell({ type: 'goodbye', reason: 'ended' });
  expect(heard).toEqual(['connected', 'event', 'ended']);
  expect(told.map(({ type }) => type)).toEqual(['waiting', 'welcome']);
  expect(goodbyes).toEqual([]);
});

test('frames that are not ours are skipped', () => {
  latest().accept();
  latest().onmessage?.({ data: '{' });
  latest().onmessage?.({ data: new ArrayBuffer(2) });
  latest().tell({ type: 'from_the_future' });
  expect(told).toEqual([]);
});
