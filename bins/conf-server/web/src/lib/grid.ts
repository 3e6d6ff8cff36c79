/** Where the tiles go: the number of columns that makes each tile largest. */
export interface Box {
  x: number;
  y: number;
  width: number;
  height: number;
}

export interface Space {
  width: number;
  height: number;
  gap: number;
}

/** `tallest` lets tiles grow higher than 16:9 where the space is upright (1 = square). */
export function grid(count: number, space: Space, tallest = WIDE): Box[] {
  if (count < 1 || space.width <= 0 || space.height <= 0) return [];
  let best = size(count, 1, space, tallest);
  for (let columns = 2; columns <= count; columns += 1) {
    const next = size(count, columns, space, tallest);
    if (next.width * next.height > best.width * best.height) best = next;
  }
  return place(count, best, space);
}

interface Cell {
  columns: number;
  rows: number;
  width: number;
  height: number;
}

function size(count: number, columns: number, { width, height, gap }: Space, tallest: number): Cell {
  const rows = Math.ceil(count / columns);
  const wide = Math.max(0, (width - gap * (columns - 1)) / columns);
  const high = Math.max(0, (height - gap * (rows - 1)) / rows);
  const aspect = Math.min(WIDE, Math.max(tallest, wide / high));
  const fit = Math.min(wide, high * aspect);
  return { columns, rows, width: fit, height: fit / aspect };
}

/** Rows are centred, the last one too. */
function place(count: number, cell: Cell, { width, height, gap }: Space): Box[] {
  const top = (height - cell.rows * cell.height - (cell.rows - 1) * gap) / 2;
  return Array.from({ length: count }, (_, at) => {
    const row = Math.floor(at / cell.columns);
    const inRow = row === cell.rows - 1 ? count - row * cell.columns : cell.columns;
    const start = (width - inRow * cell.width - (inRow - 1) * gap) / 2;
    return {
      x: start + (at % cell.columns) * (cell.width + gap),
      y: top + row * (cell.height + gap),
      width: cell.width,
      height: cell.height,
    };
  });
}

/** The tiles of one page, and how many pages there are; `page` is brought into range. */
export function pageOf<T>(items: readonly T[], page: number, perPage: number): { items: T[]; page: number; pages: number } {
  const pages = Math.max(1, Math.ceil(items.length / perPage));
  const shown = Math.min(Math.max(0, page), pages - 1);
  return { items: items.slice(shown * perPage, (shown + 1) * perPage), page: shown, pages };
}

/**
 * Keeps the order stable, except that a speaker from a later page takes a seat at the end of the first.
 *
 * `forward` are those who sit there now, latest first; the result is who sits there next.
 */
export function bringForward(order: readonly string[], perPage: number, forward: readonly string[], speaking: readonly string[]): string[] {
  const first = new Set(order.slice(0, perPage));
  const present = new Set(order);
  const seats = Math.max(1, Math.floor(perPage / 5));
  const newly = speaking.filter((id) => present.has(id) && !first.has(id) && !forward.includes(id));
  return [...newly, ...forward.filter((id) => present.has(id) && !first.has(id))].slice(0, seats);
}

/** The order with those people seated at the end of the first page. */
export function seated<T extends { id: string }>(order: readonly T[], perPage: number, forward: readonly string[]): T[] {
  if (order.length <= perPage || forward.length === 0) return [...order];
  const ahead = forward.flatMap((id) => order.find((item) => item.id === id) ?? []);
  const rest = order.filter((item) => !forward.includes(item.id));
  const kept = perPage - ahead.length;
  return [...rest.slice(0, kept), ...ahead, ...rest.slice(kept)];
}

export const WIDE = 16 / 9;
export const PER_PAGE = 25;
export const PER_PAGE_PHONE = 6;
