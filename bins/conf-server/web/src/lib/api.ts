/** The server's JSON over HTTP: rooms and the join. A refusal becomes an [`ApiError`] with its code and limit. */
export interface RoomInfo {
  code: string;
  title: string | null;
  meeting: { participants: number } | null;
  limits: { participants: number; name_chars: number };
}

/** What a join gives: who we are, and the keys to both websockets. */
export interface Admission {
  participant: string;
  secret: string;
  role: 'moderator' | 'viewer';
  media_token: string;
}

export class ApiError extends Error {
  /** `code` is the server's, or `offline` when nobody answered. */
  constructor(
    readonly code: string,
    readonly status: number,
    readonly limit?: number,
    readonly retryAfter?: number,
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
  return ask<Admission>(`/api/v1/rooms/${encodeURIComponent(code)}/join`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
}

async function ask<T>(path: string, init?: RequestInit): Promise<T> {
  let answer: Response;
  try {
    answer = await fetch(path, { credentials: 'omit', cache: 'no-store', signal: AbortSignal.timeout(15_000), ...init });
  } catch {
    throw new ApiError('offline', 0);
  }
  if (!answer.ok) throw await refusal(answer);
  try {
    return (await answer.json()) as T;
  } catch {
    throw new ApiError('unreadable', answer.status);
  }
}

async function refusal(answer: Response): Promise<ApiError> {
  try {
    const { error } = (await answer.json()) as { error: { code: string; limit?: number; retry_after?: number } };
    return new ApiError(error.code, answer.status, error.limit, error.retry_after);
  } catch {
    return new ApiError('unexpected', answer.status);
  }
}
