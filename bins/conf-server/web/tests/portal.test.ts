/** The pages for people with an account: forms, the one-time link, the session that ends elsewhere. */
import { flushSync, mount, tick, unmount } from 'svelte';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { ApiError } from '../src/lib/api';
import { keep, recall } from '../src/lib/guest';
import { words } from '../src/lib/i18n.svelte';
import { addRoom, rooms } from '../src/lib/portal';
import { parse, router } from '../src/lib/route.svelte';
import { session } from '../src/lib/session.svelte';
import Rooms from '../src/portal/Rooms.svelte';
import SignIn from '../src/portal/SignIn.svelte';
import Welcome from '../src/portal/Welcome.svelte';
import { fieldOf, passwordProblem } from '../src/portal/words';

const ada = { id: 'a-1', name: 'Ada', email: 'ada@example.org', role: 'administrator', last_sign_in: null } as const;
const options = { mute_on_start: false, lobby: 'off', start: 'anyone' } as const;

interface Asked {
  method: string;
  path: string;
  body: unknown;
  credentials: RequestCredentials | undefined;
}
let asked: Asked[] = [];
let mounted: Record<string, unknown> | undefined;

/** A server that gives these answers, by method and path. */
function serve(answers: Record<string, [number, unknown]>): void {
  asked = [];
  vi.stubGlobal('fetch', (path: string, init: RequestInit = {}) => {
    const method = init.method ?? 'GET';
    asked.push({ method, path, body: init.body ? JSON.parse(String(init.body)) : undefined, credentials: init.credentials });
    const [status, body] = answers[`${method} ${path}`] ?? [404, { error: { code: 'not_found' } }];
    return Promise.resolve(new Response(status === 204 ? null : JSON.stringify(body), { status }));
  });
}

const refusal = (code: string, more: object = {}) => ({ error: { code, message: '', ...more } });
const find = <T extends HTMLElement>(id: string) => document.querySelector<T>(`[data-testid="${id}"]`);
const text = () => document.body.textContent ?? '';

function type(id: string, value: string): void {
  const field = find<HTMLInputElement>(id)!;
  field.value = value;
  field.dispatchEvent(new Event('input', { bubbles: true }));
}

async function submit(): Promise<void> {
  document.querySelector('form')!.dispatchEvent(new SubmitEvent('submit', { bubbles: true, cancelable: true }));
  await settled();
}

async function settled(): Promise<void> {
  for (let turn = 0; turn < 12; turn += 1) await tick();
  flushSync();
}

beforeEach(async () => {
  await words.use('en');
  await words.add('portal');
  session.account = null;
  session.ended = false;
});

afterEach(async () => {
  if (mounted) await unmount(mounted);
  mounted = undefined;
  vi.unstubAllGlobals();
});

test('a wrong password is told once for the whole form, and no field is blamed', async () => {
  serve({ 'POST /api/v1/session': [401, refusal('sign_in_wrong')] });
  mounted = mount(SignIn, { target: document.body });
  type('sign-in-email', 'ada@example.org');
  type('sign-in-password', 'not this one');
  await submit();
  expect(document.querySelector('[role="alert"]')?.textContent).toBe(words.messages.signin_wrong);
  expect(document.querySelectorAll('[aria-invalid="true"]')).toHaveLength(0);
  expect(asked).toEqual([{ method: 'POST', path: '/api/v1/session', body: { email: 'ada@example.org', password: 'not this one' }, credentials: 'same-origin' }]);
});

test('an empty form is not sent: the keyboard goes to the first field, which says what it lacks', async () => {
  serve({});
  mounted = mount(SignIn, { target: document.body });
  await submit();
  const field = find<HTMLInputElement>('sign-in-email')!;
  expect(asked).toEqual([]);
  expect(document.activeElement).toBe(field);
  expect(document.getElementById(field.getAttribute('aria-describedby')!)?.textContent).toContain('whole e-mail address');
});

test('the token of a one-time link leaves the address before anything else, and its first room is made', async () => {
  history.replaceState(null, '', '/welcome#one-time-token');
  serve({
    'POST /api/v1/links/look': [200, { purpose: 'invitation', email: 'ada@example.org', name: 'Ada' }],
    'POST /api/v1/links/use': [201, { account: ada }],
    'POST /api/v1/me/rooms': [201, { id: 'r-1', code: 'x', title: 'Ada’s room', options, meeting: null }],
  });
  mounted = mount(Welcome, { target: document.body });
  flushSync();
  expect(location.href).not.toContain('one-time-token');
  await settled();
  expect(find<HTMLInputElement>('welcome-email')?.readOnly).toBe(true);
  type('welcome-password', 'too short');
  await submit();
  expect(text()).toContain('at least 12');
  type('welcome-password', 'a quiet green teapot');
  await submit();
  expect(asked.map(({ path }) => path)).toEqual(['/api/v1/links/look', '/api/v1/links/use', '/api/v1/me/rooms']);
  expect(asked[1]?.body).toEqual({ token: 'one-time-token', name: 'Ada', password: 'a quiet green teapot' });
  expect(asked[2]?.body).toEqual({ title: 'Ada’s room' });
  expect(router.route).toEqual({ page: 'start' });
  expect(session.account?.name).toBe('Ada');
});

test('a used link says so and asks for nothing', async () => {
  history.replaceState(null, '', '/welcome#used');
  serve({ 'POST /api/v1/links/look': [404, refusal('link_unknown')] });
  mounted = mount(Welcome, { target: document.body });
  await settled();
  expect(find('link-unknown')).not.toBeNull();
  expect(document.querySelector('input')).toBeNull();
});

test('a session that the server ended leads back to signing in, and keeps nothing of the account', async () => {
  session.begin(ada);
  serve({ 'GET /api/v1/me/rooms': [401, refusal('not_signed_in')] });
  await expect(rooms()).rejects.toMatchObject({ code: 'not_signed_in' });
  expect(session.account).toBeNull();
  expect(session.ended).toBe(true);
});

test('signing out gives up the places in meetings, and other choices stay', async () => {
  keep('open', { participant: 'p-1', secret: 's' });
  localStorage.setItem('conf.preferences', '{"theme":"dark"}');
  serve({ 'DELETE /api/v1/session': [204, null] });
  session.begin(ada);
  await session.end();
  expect(recall('open')).toBeUndefined();
  expect(localStorage.getItem('conf.preferences')).toBe('{"theme":"dark"}');
  expect(session.account).toBeNull();
});

test('more than ten rooms can be searched, fewer need no search', async () => {
  const room = (at: number) => ({ id: `r-${at}`, code: `c${at}`, title: `Room ${at}`, options, meeting: null });
  serve({ 'GET /api/v1/me/rooms': [200, Array.from({ length: 11 }, (_, at) => room(at))] });
  mounted = mount(Rooms, { target: document.body });
  await settled();
  expect(document.querySelectorAll('[data-testid="room"]')).toHaveLength(11);
  type('rooms-search', 'room 10');
  flushSync();
  expect([...document.querySelectorAll('[data-testid="room"]')].map((item) => item.getAttribute('data-room'))).toEqual(['r-10']);
  await unmount(mounted);
  serve({ 'GET /api/v1/me/rooms': [200, [room(1)]] });
  mounted = mount(Rooms, { target: document.body });
  await settled();
  expect(find('rooms-search')).toBeNull();
});

test('a room can be made with options or without', async () => {
  serve({ 'POST /api/v1/me/rooms': [201, {}] });
  await addRoom('A');
  await addRoom('B', { ...options, lobby: 'ask' });
  expect(asked.map(({ body }) => body)).toEqual([{ title: 'A' }, { title: 'B', options: { mute_on_start: false, lobby: 'ask', start: 'anyone' } }]);
});

test('errors about a field are shown at it', () => {
  expect(fieldOf(new ApiError('email_taken', 409))).toBe('email');
  expect(fieldOf(new ApiError('password_wrong', 401))).toBe('current');
  expect(fieldOf(new ApiError('busy', 503))).toBeUndefined();
});

test('a password is counted in characters as people see them typed, not in bytes', () => {
  expect(passwordProblem('ünïcödé-ok!')).toBeDefined();
  expect(passwordProblem('ünïcödé-ok!!')).toBeUndefined();
  expect(passwordProblem('😀😀😀😀😀😀')).toBeDefined();
});

test('the addresses of the portal are known', () => {
  expect(parse('/sign-in')).toEqual({ page: 'sign-in' });
  expect(parse('/welcome')).toEqual({ page: 'welcome' });
  expect(parse('/account/')).toEqual({ page: 'account' });
  expect(parse('/admin/accounts')).toEqual({ page: 'accounts' });
  expect(parse('/admin')).toEqual({ page: 'unknown' });
  expect(parse('//')).toEqual({ page: 'unknown' });
});
