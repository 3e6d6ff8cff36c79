/** The server's JSON over HTTP for people with an account: one-time links, rooms, accounts. `lib/api.ts` has the rooms as guests see them. */
import { ApiError, ask, send, type RoomOptions } from './api';
import { session, type Account } from './session.svelte';

export type Purpose = 'first_administrator' | 'invitation' | 'reset';

/** What a one-time link is for, and for whom. */
export interface Link {
  purpose: Purpose;
  email: string | null;
  name: string | null;
}

export interface Room {
  id: string;
  code: string;
  title: string | null;
  options: RoomOptions;
  meeting: { participants: number } | null;
}

/** An account as administrators see it. */
export interface Listed extends Account {
  /** `false`: invited, the link not used yet. */
  active: boolean;
}

export interface Page {
  accounts: Listed[];
  /** What to ask on with; `null`: that was all. */
  next: string | null;
}

/** A one-time link to hand on. */
export interface OneTime {
  link: string;
  ends_at: string;
}

export async function signIn(email: string, password: string): Promise<void> {
  session.begin((await send<{ account: Account }>('POST', '/api/v1/session', { email, password })).account);
}

export function lookAtLink(token: string): Promise<Link> {
  return send('POST', '/api/v1/links/look', { token });
}

export async function takeLink(token: string, person: { name: string; email?: string; password: string }): Promise<void> {
  session.begin((await send<{ account: Account }>('POST', '/api/v1/links/use', { token, ...person })).account);
}

export function changePassword(current: string, wanted: string): Promise<void> {
  return own(send('PUT', '/api/v1/me/password', { current, new: wanted }));
}

export async function rename(name: string): Promise<void> {
  session.begin(await own(send<Account>('PATCH', '/api/v1/me', { name })));
}

export function rooms(): Promise<Room[]> {
  return own(ask('/api/v1/me/rooms'));
}

export function addRoom(title: string, options?: RoomOptions): Promise<Room> {
  return own(send('POST', '/api/v1/me/rooms', { title, options }));
}

export function changeRoom(id: string, changes: { title?: string; options?: RoomOptions }): Promise<Room> {
  return own(send('PATCH', `/api/v1/me/rooms/${id}`, changes));
}

/** The old link is dead for newcomers from then on. */
export function newCode(id: string): Promise<Room> {
  return own(send('POST', `/api/v1/me/rooms/${id}/code`));
}

export function removeRoom(id: string): Promise<void> {
  return own(send('DELETE', `/api/v1/me/rooms/${id}`));
}

export function accounts(after?: string): Promise<Page> {
  return own(ask(`/api/v1/accounts?limit=50${after ? `&after=${after}` : ''}`));
}

export function addAccount(person: { name: string; email: string; role: Account['role'] }): Promise<OneTime & { account: Listed }> {
  return own(send('POST', '/api/v1/accounts', person));
}

export function changeAccount(id: string, changes: Partial<Pick<Account, 'name' | 'email' | 'role'>>): Promise<unknown> {
  return own(send('PATCH', `/api/v1/accounts/${id}`, changes));
}

export function linkFor(id: string): Promise<OneTime> {
  return own(send('POST', `/api/v1/accounts/${id}/link`));
}

export function removeAccount(id: string): Promise<void> {
  return own(send('DELETE', `/api/v1/accounts/${id}`));
}

/** The address of a room, to be sent to others. */
export function roomLink(code: string): string {
  return `${location.origin}/r/${code}`;
}

/** What only somebody signed in may ask: an answer that says otherwise leads back to signing in. */
async function own<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof ApiError && error.code === 'not_signed_in') session.lost();
    throw error;
  }
}
