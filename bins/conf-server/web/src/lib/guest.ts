/**
 * A guest's place in a meeting, so that a reload comes back to it, and their name if they asked to be remembered.
 *
 * sessionStorage `conf.guest.<code>` (participant and secret, gone with the tab); localStorage `conf.name` (only when ticked).
 */
export interface Guest {
  participant: string;
  secret: string;
}

const NAME = 'conf.name';
const key = (code: string) => `conf.guest.${code}`;

export function recall(code: string): Guest | undefined {
  return quietly(() => {
    const value = JSON.parse(sessionStorage.getItem(key(code)) ?? 'null') as Guest | null;
    return value && typeof value.participant === 'string' && typeof value.secret === 'string' ? value : undefined;
  });
}

export function keep(code: string, { participant, secret }: Guest): void {
  quietly(() => sessionStorage.setItem(key(code), JSON.stringify({ participant, secret })));
}

export function forget(code: string): void {
  quietly(() => sessionStorage.removeItem(key(code)));
}

/** Of all rooms: whoever uses this tab next is somebody else. */
export function leavePlaces(): void {
  quietly(() => Object.keys(sessionStorage).filter((name) => name.startsWith(key(''))).forEach((name) => sessionStorage.removeItem(name)));
}

export function rememberedName(): string | undefined {
  return quietly(() => localStorage.getItem(NAME) ?? undefined);
}

export function rememberName(name: string | undefined): void {
  quietly(() => (name ? localStorage.setItem(NAME, name) : localStorage.removeItem(NAME)));
}

/** Storage may be switched off; then nothing is remembered and everything else works. */
function quietly<T>(action: () => T): T | undefined {
  try {
    return action();
  } catch {
    return undefined;
  }
}
