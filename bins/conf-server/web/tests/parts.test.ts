/** The small parts that need no browser: layout, initials, grouping, links, addresses, shortcuts, levels. */
import { expect, test } from 'vitest';
import { group } from '../src/lib/chat';
import { problem } from '../src/lib/devices.svelte';
import { hue, initials } from '../src/lib/face';
import { bringForward, grid, pageOf, seated, WIDE } from '../src/lib/grid';
import { loudness } from '../src/lib/level';
import { pieces } from '../src/lib/links';
import { codeFrom, parse } from '../src/lib/route.svelte';
import { isTalkKey, shortcutOf } from '../src/lib/shortcuts';

const desk = { width: 1400, height: 760, gap: 12 };

test.each([1, 2, 3, 4, 5, 9, 16, 25])('%i tiles stay inside the stage, 16:9, without touching', (count) => {
  const boxes = grid(count, desk);
  expect(boxes).toHaveLength(count);
  for (const [at, box] of boxes.entries()) {
    expect(box.width / box.height).toBeCloseTo(WIDE, 3);
    expect(box.x).toBeGreaterThanOrEqual(-0.01);
    expect(box.y).toBeGreaterThanOrEqual(-0.01);
    expect(box.x + box.width).toBeLessThanOrEqual(desk.width + 0.01);
    expect(box.y + box.height).toBeLessThanOrEqual(desk.height + 0.01);
    for (const other of boxes.slice(at + 1)) {
      const apart = other.x >= box.x + box.width + 11.9 || other.x + other.width <= box.x - 11.9 || other.y >= box.y + box.height + 11.9;
      expect(apart).toBe(true);
    }
  }
});

test('no other number of columns would make the tiles larger', () => {
  for (const count of [2, 3, 5, 7, 12, 20]) {
    const chosen = grid(count, desk)[0]!.width;
    for (let columns = 1; columns <= count; columns += 1) {
      const rows = Math.ceil(count / columns);
      const width = Math.min((desk.width - 12 * (columns - 1)) / columns, ((desk.height - 12 * (rows - 1)) / rows) * WIDE);
      expect(chosen).toBeGreaterThanOrEqual(width - 0.01);
    }
  }
});

test('on an upright screen tiles may grow up to a square', () => {
  const [box] = grid(1, { width: 344, height: 600, gap: 8 }, 1);
  expect(box).toMatchObject({ width: 344, height: 344 });
});

test('a stage without room has no tiles', () => {
  expect(grid(3, { width: 0, height: 500, gap: 8 })).toEqual([]);
});

test('a page that no longer exists becomes the last one', () => {
  const people = Array.from({ length: 30 }, (_, at) => at);
  expect(pageOf(people, 1, 25)).toEqual({ items: [25, 26, 27, 28, 29], page: 1, pages: 2 });
  expect(pageOf(people.slice(0, 20), 1, 25)).toMatchObject({ page: 0, pages: 1 });
  expect(pageOf([], 0, 25)).toEqual({ items: [], page: 0, pages: 1 });
});

test('a speaker from a later page takes a seat on the first, and the others keep their order', () => {
  const order = ['a', 'b', 'c', 'd', 'e', 'f', 'g'];
  const people = order.map((id) => ({ id }));
  expect(bringForward(order, 5, [], ['b'])).toEqual([]);
  expect(bringForward(order, 5, [], ['g'])).toEqual(['g']);
  expect(bringForward(order, 5, ['g'], ['f'])).toEqual(['f']);
  expect(bringForward(order, 5, ['g'], [])).toEqual(['g']);
  expect(bringForward(order.slice(0, 6), 5, ['g'], [])).toEqual([]);
  expect(seated(people, 5, ['g']).map(({ id }) => id)).toEqual(['a', 'b', 'c', 'd', 'g', 'e', 'f']);
  expect(seated(people.slice(0, 4), 5, ['d']).map(({ id }) => id)).toEqual(['a', 'b', 'c', 'd']);
});

test('initials work in any script and for any name', () => {
  expect(initials('Ada Lovelace')).toBe('AL');
  expect(initials('  noor van der Meer ')).toBe('NM');
  expect(initials('李小龙')).toBe('李');
  expect(initials('☂ !')).toBe('?');
});

test('the same participant has the same colour everywhere', () => {
  expect(hue('p-000000000000002a')).toBe(hue('p-000000000000002a'));
  const hues = new Set(Array.from({ length: 60 }, (_, at) => hue(`p-${at.toString(16).padStart(16, '0')}`)));
  expect(hues.size).toBeGreaterThan(7);
});

test('messages of one person within three minutes stand together, and a new day starts a new group', () => {
  const said = (id: number, from: string, at: string) => ({ id, from, name: from, sent_at: at, text: '' });
  const groups = group([
    said(1, 'a', '2026-01-02T10:00:00Z'),
    said(2, 'a', '2026-01-02T10:02:00Z'),
    said(3, 'b', '2026-01-02T10:02:10Z'),
    said(4, 'a', '2026-01-02T10:02:20Z'),
    said(5, 'a', '2026-01-02T10:09:00Z'),
    said(6, 'a', '2026-01-05T10:09:30Z'),
  ]);
  expect(groups.map((one) => one.messages.map(({ id }) => id))).toEqual([[1, 2], [3], [4], [5], [6]]);
  expect(groups.map((one) => one.newDay)).toEqual([false, false, false, false, true]);
});

test('only http addresses become links, without the full stop behind them', () => {
  expect(pieces('see https://example.org/a?b=c. ok')).toEqual([
    { text: 'see ' },
    { text: 'https://example.org/a?b=c', href: 'https://example.org/a?b=c' },
    { text: '. ok' },
  ]);
  expect(pieces('javascript:alert(1) data:text/html,x')).toEqual([{ text: 'javascript:alert(1) data:text/html,x' }]);
});

test('a room is found by link, path or code, and only on this server', () => {
  expect(codeFrom(' https://meet.test/r/AbC-12_x ', 'https://meet.test')).toBe('AbC-12_x');
  expect(codeFrom('/r/open', 'https://meet.test')).toBe('open');
  expect(codeFrom('AAECAwQFBgcICQoL', 'https://meet.test')).toBe('AAECAwQFBgcICQoL');
  expect(codeFrom('https://elsewhere.test/r/open', 'https://meet.test')).toBeUndefined();
  expect(parse('/r/a/b')).toEqual({ page: 'unknown' });
  expect(parse('/r/%')).toEqual({ page: 'unknown' });
});

test('shortcuts never fire while somebody types or with a modifier', () => {
  const field = document.createElement('textarea');
  const press = (key: string, target: EventTarget, extra: KeyboardEventInit = {}) => {
    const event = new KeyboardEvent('keydown', { key, ...extra });
    Object.defineProperty(event, 'target', { value: target });
    return event;
  };
  expect(shortcutOf(press('m', document.body))).toBe('microphone');
  expect(shortcutOf(press('M', document.body))).toBe('microphone');
  expect(shortcutOf(press('m', field))).toBeUndefined();
  expect(shortcutOf(press('c', document.body, { ctrlKey: true }))).toBeUndefined();
  expect(isTalkKey(press(' ', document.body))).toBe(true);
  expect(isTalkKey(press(' ', document.createElement('button')))).toBe(false);
});

test('silence is zero and full scale is one', () => {
  expect(loudness(new Float32Array(64))).toBe(0);
  expect(loudness(new Float32Array(64).fill(1))).toBeCloseTo(1, 2);
  expect(loudness(new Float32Array(64).fill(0.03))).toBeGreaterThan(0.4);
});

test('what the browser throws becomes a word that the page can explain', () => {
  expect(problem(new DOMException('', 'NotAllowedError'))).toBe('denied');
  expect(problem(new DOMException('', 'NotFoundError'))).toBe('missing');
  expect(problem(new DOMException('', 'NotReadableError'))).toBe('busy');
  expect(problem(new DOMException('', 'SecurityError'))).toBe('insecure');
  expect(problem('?')).toBe('unknown');
});
