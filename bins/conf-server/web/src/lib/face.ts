/** A person without a picture: initials, on a colour that follows from their id. */
const HUES = [188, 212, 246, 280, 320, 352, 18, 38, 96, 152];

export function initials(name: string): string {
  const parts = name.trim().split(/\s+/u).filter((part) => /[\p{L}\p{N}]/u.test(part));
  const first = parts[0];
  const last = parts.length > 1 ? parts[parts.length - 1] : undefined;
  return [first, last].map((part) => letter(part)).join('') || '?';
}

/** One of ten hues; the same id has the same colour in every browser. */
export function hue(id: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < id.length; at += 1) hash = Math.imul(hash ^ id.charCodeAt(at), 0x01000193) >>> 0;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b) >>> 0;
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35) >>> 0;
  return HUES[((hash ^ (hash >>> 16)) >>> 0) % HUES.length] ?? 188;
}

function letter(part: string | undefined): string {
  const match = part?.match(/[\p{L}\p{N}]/u);
  return match ? match[0].toLocaleUpperCase() : '';
}
