/** Which page the address names. A handful of addresses needs no router library. */
export type Route = { page: 'start' } | { page: 'room'; code: string } | { page: PortalPage } | { page: 'unknown' };

/** Pages for people with an account. */
export type PortalPage = 'sign-in' | 'welcome' | 'account' | 'accounts';

const PORTAL: Record<string, PortalPage> = { '/sign-in': 'sign-in', '/welcome': 'welcome', '/account': 'account', '/admin/accounts': 'accounts' };

export function parse(path: string): Route {
  if (path === '/' || path === '/index.html') return { page: 'start' };
  const page = PORTAL[path.length > 1 ? path.replace(/\/$/, '') : path];
  if (page) return { page };
  const room = /^\/r\/([^/]+)\/?$/.exec(path)?.[1];
  if (!room) return { page: 'unknown' };
  try {
    return { page: 'room', code: decodeURIComponent(room) };
  } catch {
    return { page: 'unknown' };
  }
}

/** The room code in what a person pasted: a whole link, a path or the code itself. */
export function codeFrom(text: string, origin: string): string | undefined {
  const trimmed = text.trim();
  if (/^[A-Za-z0-9_-]{3,64}$/.test(trimmed)) return trimmed;
  try {
    const url = new URL(trimmed, origin);
    const route = parse(url.pathname);
    return url.origin === origin && route.page === 'room' ? route.code : undefined;
  } catch {
    return undefined;
  }
}

class Router {
  route = $state<Route>(parse(location.pathname));

  constructor() {
    addEventListener('popstate', () => (this.route = parse(location.pathname)));
  }

  go(path: string): void {
    history.pushState(null, '', path);
    this.route = parse(path);
  }
}

export const router = new Router();
