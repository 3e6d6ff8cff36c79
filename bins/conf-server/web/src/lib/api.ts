/** The server's JSON over HTTP: rooms and the join. A refusal becomes an [`ApiError`] with its code and limit. */
import type { RoomOptions } from './wire';

export type { RoomOptions };

export interface RoomInfo {
  code: string;
  title: string | null;
  meeting: { participants: number } | null;
  limits: { participants: number; name_chars: number };
  /** What the owner chose for the room's meetings. */
  options?: RoomOptions;
  /** Who asks, if they are signed in. */
  you?: { name: string; owner: boolean } | null;
}

/** What a join gives: who we are, and the keys to both websockets. */
export interface Admission {
  participant: string;
  secret: string;
  role: 'moderator' | 'viewer';
  /** In the lobby: there is no media token before the welcome. */
  waiting: boolean;
  media_token: string | null;
}

export class ApiError extends Error {
  /** `code` is the server's, or `offline` when nobody answered. */
  constructor(
    readonly code: string,
    readonly status: number,
    readonly limit?: number,
    readonly retryAfter?: number,
    readonly reason?: string,
  ) {
    super(code);
  }
}

export function roomInfo(code: string): Promise<RoomInfo> {
  return ask<RoomInfo>(`/api/v1/rooms/${encodeURIComponent(code)}`);
}

/** The code of the room everybody may use, if this server has one. */
export async function openRoom(): Promise<string | undefined> {
  try {
    const { code } = await ask<{ code?: string }>('/api/v1/rooms/open');
    return code;
  } catch {
    return undefined;
  }
}

export function join(code: string, name: string): Promise<Admission> {
  return post(code, { name });
}

/** Comes back after a reload, or for a fresh media token. */
export function rejoin(code: string, participant: string, secret: string): Promise<Admission> {
  return post(code, { participant, secret });
}

function post(code: string, body: object): Promise<Admission> {
  return send<Admission>('POST', `/api/v1/rooms/${encodeURIComponent(code)}/join`, body);
}

/** A change: its body is JSON, also where it says nothing (the server takes no other, so that no form of a stranger passes). */
export function send<T = void>(method: 'POST' | 'PUT' | 'PATCH' | 'DELETE', path: string, body: object = {}): Promise<T> {
  return ask<T>(path, { method, headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
}

/** The cookie of a signed-in account goes with it; there is none before somebody signs in. */
export async function ask<T>(path: string, init?: RequestInit): Promise<T> {
  let answer: Response;
  try {
    answer = await fetch(path, { credentials: 'same-origin', cache: 'no-store', signal: AbortSignal.timeout(15_000), ...init });
  } catch {
    throw new ApiError('offline', 0);
  }
  if (!answer.ok) throw await refusal(answer);
  if (answer.status === 204) return undefined as T;
  try {
    return (await answer.json()) as T;
  } catch {
    throw new ApiError('unreadable', answer.status);
  }
}

async function refusal(answer: Response): Promise<ApiError> {
  try {
    const { error } = (await answer.json()) as { error: { code: string; limit?: number; retry_after?: number; reason?: string } };
    return new ApiError(error.code, answer.status, error.limit, error.retry_after, error.reason);
  } catch {
    return new ApiError('unexpected', answer.status);
  }
}
