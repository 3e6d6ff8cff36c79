/**
 * Takes pictures of every story at several sizes and in both themes, and asks axe about each.
 *
 *   npm run look -- [--out DIR] [--only PATTERN] [--lang en] [--forced]     (needs a Chromium: CHROMIUM=/path, default /usr/bin/chromium)
 */
import { mkdirSync } from 'node:fs';
import AxeBuilder from '@axe-core/playwright';
import { chromium } from 'playwright-core';
import { createServer } from 'vite';

const argument = (name, fallback) => {
  const at = process.argv.indexOf(name);
  return at > 0 ? process.argv[at + 1] : fallback;
};
const out = argument('--out', 'test-results/look');
const only = new RegExp(argument('--only', ''));
const language = argument('--lang', 'de');
const forced = process.argv.includes('--forced');
mkdirSync(out, { recursive: true });

/** `zoom` is 1280×1024 at 400 %. */
const SIZES = { phone: [360, 740], tablet: [768, 1024], desk: [1440, 900], wide: [1280, 800], landscape: [740, 360], zoom: [320, 256] };
const STORIES = {
  start: 'story=start',
  prejoin: 'story=prejoin',
  asking: 'story=prejoin&n=3&lobby&startmuted&title=Weekly%20planning',
  notbegun: 'story=prejoin&n=0&owner&title=Weekly%20planning',
  starting: 'story=prejoin&n=0&owner&lobby&you=owner&title=Weekly%20planning',
  lobby: 'story=lobby&lobby&position=3&title=Weekly%20planning',
  lobbynext: 'story=lobby&lobby&startmuted&title=Weekly%20planning',
  lobbyearly: 'story=lobby&owner&title=Wöchentliche%20Besprechung%20der%20Abteilung%20Donaudampfschifffahrt',
  lobbycut: 'story=lobby&lobby&position=2&link=reconnecting&title=Weekly%20planning',
  lobbylost: 'story=lobby&lobby&position=2&link=lost&title=Weekly%20planning',
  lobbyin: 'story=lobby&lobby&admitted&title=Weekly%20planning',
  denied: 'story=denied',
  lobbyleft: 'story=lobby_left',
  left: 'story=left',
  ended: 'story=ended',
  full: 'story=full',
  missing: 'story=missing',
  alone: 'story=meeting&n=1&muted',
  two: 'story=meeting&n=2&video',
  four: 'story=meeting&n=4&video',
  nine: 'story=meeting&n=9&video&unread',
  twentyfive: 'story=meeting&n=30&video',
  share: 'story=meeting&n=6&video&share=1',
  sharemine: 'story=meeting&n=4&video&share=0',
  chat: 'story=meeting&n=5&video&unread&click=toggle-chat',
  chatempty: 'story=meeting&n=3&empty&click=toggle-chat',
  people: 'story=meeting&n=9&video&click=toggle-people',
  menu: 'story=meeting&n=5&video&click=toggle-people,person-menu',
  peoplelobby: 'story=meeting&n=9&video&lobby&click=toggle-people',
  waiting: 'story=meeting&n=9&video&lobby&waiting=3&click=toggle-people',
  waitingone: 'story=meeting&n=2&video&lobby&waiting=1',
  waitingmany: 'story=meeting&n=9&video&lobby&waiting=12&click=toggle-people',
  leave: 'story=meeting&n=4&video&click=leave',
  settings: 'story=meeting&n=4&click=more,open-settings',
  help: 'story=meeting&n=4&click=more,open-help',
  truth: 'story=meeting&n=4&click=truth',
  trouble: 'story=meeting&n=4&link=lost&blocked&toast',
  talking: 'story=meeting&n=3&muted&talking',
  silent: 'story=meeting&n=3&video&silent&denied',
  rtl: 'story=meeting&n=5&video&rtl&click=toggle-chat',
  signin: 'portal=sign-in',
  signinwrong: 'portal=sign-in&click=sign-in-email:a@example.org,sign-in-password:x,sign-in',
  welcomefirst: 'portal=welcome&link=first&click=welcome-done',
  welcomeinvited: 'portal=welcome&link=invited&click=welcome-password:correct-horse-battery',
  welcomereset: 'portal=welcome&link=reset',
  welcomedead: 'portal=welcome&link=dead',
  rooms: 'portal=rooms&as=0&n=4',
  roomsnone: 'portal=rooms&as=1&n=0',
  roomsmany: 'portal=rooms&as=1&n=12',
  roomsbroken: 'portal=rooms&as=1&broken',
  roomsmenu: 'portal=rooms&as=0&n=3&click=account-menu',
  roomnew: 'portal=rooms&as=0&n=2&click=room-new,room-save',
  roomoptions: 'portal=rooms&as=0&n=2&click=room-options',
  roomcode: 'portal=rooms&as=0&n=2&click=room-options,room-code',
  roomdelete: 'portal=rooms&as=0&n=2&click=room-options,room-delete',
  me: 'portal=account&as=0',
  mewrong: 'portal=account&as=1&click=password-current:x,password-new:x,password-save',
  accounts: 'portal=accounts&as=0&n=9',
  accountsmenu: 'portal=accounts&as=0&n=5&click=account-more',
  accountnew: 'portal=accounts&as=0&n=3&click=account-new,account-name:Noor,account-email:x,account-save',
  accountmade: 'portal=accounts&as=0&n=3&click=account-new,account-name:Noor,account-email:noor@example.org,account-save',
  accountsforbidden: 'portal=accounts&as=1',
};

const server = await createServer({ logLevel: 'error', server: { port: 5199 } });
await server.listen();
const { port } = server.httpServer.address();
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--use-fake-ui-for-media-stream', '--use-fake-device-for-media-stream'],
});
let found = 0;
for (const theme of ['light', 'dark']) {
  for (const [size, [width, height]] of Object.entries(SIZES)) {
    const context = await browser.newContext({ viewport: { width, height }, colorScheme: theme, locale: language, hasTouch: size === 'phone', reducedMotion: 'reduce', forcedColors: forced ? 'active' : 'none' });
    const page = await context.newPage();
    page.on('pageerror', (error) => (console.log(`ERROR ${error.message}`), (found += 1)));
    for (const [name, query] of Object.entries(STORIES)) {
      const label = `${name}-${size}-${theme}`;
      if (!only.test(label)) continue;
      await page.goto(`http://localhost:${port}/stories.html?${query}&theme=${theme}&lang=${language}`);
      await page.waitForLoadState('networkidle');
      if (query.includes('portal=')) await page.waitForSelector('[data-ready]', { state: 'attached' });
      await page.waitForTimeout(query.includes('click') ? 700 : 350);
      await page.screenshot({ path: `${out}/${label}.png` });
      const overflow = await page.evaluate(() => document.documentElement.scrollWidth > innerWidth);
      if (overflow) (console.log(`WIDE ${label}`), (found += 1));
      const { violations } = await new AxeBuilder({ page }).withTags(['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']).analyze();
      for (const violation of violations) {
        found += 1;
        console.log(`AXE ${label} ${violation.id}: ${violation.nodes.map((node) => `${node.target.join(' ')} ${node.any[0]?.message ?? ''}`).slice(0, 4).join(' | ')}`);
      }
    }
    await context.close();
  }
}
await browser.close();
await server.close();
console.log(found ? `${found} findings` : 'nothing found');
process.exit(found ? 1 : 0);
