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
  /** The page was changed without loading it anew: the keyboard and the screen reader must be taken along. */
  moved = false;

  constructor() {
    addEventListener('popstate', () => this.#show(location.pathname));
  }

  go(path: string): void {
    history.pushState(null, '', path);
    this.#show(path);
  }

  /** Like `go`, where the way back should not lead to the page that is left. */
  replace(path: string): void {
    history.replaceState(null, '', path);
    this.#show(path);
  }

  #show(path: string): void {
    this.moved = true;
    this.route = parse(path);
    scrollTo(0, 0);
  }
}

export const router = new Router();

/** For links inside the client: follows one without loading the page anew, unless it is to open elsewhere. */
export function follow(event: MouseEvent & { currentTarget: HTMLAnchorElement }): void {
  if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  router.go(event.currentTarget.pathname);
}
