/** Made-up accounts and rooms, and a server that answers with them. */
import type { Link, Listed, Room } from '../lib/portal';
import { session } from '../lib/session.svelte';
import { NAMES } from './people';

const TITLES = ['Wochenrunde', 'Elternabend 7b', 'Lesekreis', 'Vorstand', 'Donaudampfschifffahrtsgesellschaftskapitänsmützenabrechnung und alles, was dazugehört', 'اجتماع الفريق', 'Sprechstunde', 'Chor', 'Probe', 'Redaktion', 'Nachhilfe', 'Stammtisch'];

export function listed(at: number): Listed {
  return {
    id: `a-${(at * 104_729 + 7).toString(16).padStart(16, '0')}`,
    name: NAMES[at % NAMES.length] ?? 'X',
    email: at === 4 ? 'maximiliane.von-und-zu-beispielhausen-musterstadt@verwaltung.beispiel.example' : `person${at}@example.org`,
    role: at === 0 || at === 3 ? 'administrator' : 'member',
    active: at % 5 !== 2,
    last_sign_in: at % 5 === 2 || at === 3 ? null : new Date(1_790_000_000_000 - at * 86_400_000).toISOString(),
  };
}

function room(at: number): Room {
  return {
    id: `r-${at.toString(16).padStart(16, '0')}`,
    code: `AbCdEfGhIjKlM${String(at).padStart(3, '0')}`,
    title: TITLES[at % TITLES.length] ?? 'X',
    options: { mute_on_start: at % 4 === 2, lobby: at % 3 === 1 ? 'ask' : 'off', start: at % 4 === 1 ? 'owner' : 'anyone' },
    meeting: at === 1 ? { participants: 3 } : null,
  };
}

/** Answers what the portal asks; nothing is remembered. */
export function pretendPortal(query: URLSearchParams): void {
  const links: Record<string, Link> = {
    first: { purpose: 'first_administrator', email: null, name: null },
    invited: { purpose: 'invitation', email: 'noor@example.org', name: 'Noor van der Meer-Hohenstein' },
    reset: { purpose: 'reset', email: 'noor@example.org', name: 'Noor' },
  };
  const count = Number(query.get('n') ?? 4);
  const answers: Record<string, () => [number, unknown]> = {
    'GET /api/v1/session': () => [200, { account: session.account ?? null }],
    'POST /api/v1/session': () => [401, { error: { code: 'sign_in_wrong', message: '' } }],
    'POST /api/v1/links/look': () => {
      const link = links[query.get('link') ?? ''];
      return link ? [200, link] : [404, { error: { code: 'link_unknown', message: '' } }];
    },
    'PUT /api/v1/me/password': () => [401, { error: { code: 'password_wrong', message: '' } }],
    'GET /api/v1/me/rooms': () => (query.has('broken') ? [503, { error: { code: 'unavailable', message: '' } }] : [200, Array.from({ length: count }, (_, at) => room(at))]),
    'GET /api/v1/rooms/open': () => [200, { code: 'open' }],
    'GET /api/v1/accounts': () => [200, { accounts: Array.from({ length: count }, (_, at) => listed(at)), next: 'a-0' }],
    'POST /api/v1/accounts': () => [201, { account: listed(9), link: `${location.origin}/welcome#kJ8vQx0m3F7dWn5tYb2hLs9pRc4eUg6aZ1iOoT-XyV0`, ends_at: new Date(1_790_080_000_000).toISOString() }],
  };
  if (query.has('as')) session.account = { ...listed(Number(query.get('as'))), last_sign_in: new Date(1_790_000_000_000).toISOString() };
  window.fetch = async (input, init) => {
    const path = new URL(String(input), location.href).pathname;
    const [status, body] = (answers[`${init?.method ?? 'GET'} ${path}`] ?? (() => [404, { error: { code: 'not_found', message: '' } }]))();
    return new Response(JSON.stringify(body), { status, headers: { 'content-type': 'application/json' } });
  };
  if (query.has('link')) history.replaceState(null, '', `${location.pathname}${location.search}#token`);
}
