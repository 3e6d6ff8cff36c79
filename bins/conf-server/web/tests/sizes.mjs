/**
 * Holds the budgets of a build, as a browser loads it, gzipped: everything before joining (what index.html
 * names, what that imports at once, and the larger language), everything with the meeting, and the pages for
 * people with an account. These are a chunk of their own, so that guests do not wait for them.
 *
 *   node tests/sizes.mjs DIST
 *
 * Also refuses what must never be in a build: inline script or style (the content security policy would stop
 * it) and the story page.
 */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';

const LIMITS = { 'before joining': 90_000, 'with the meeting': 300_000, 'with the portal': 110_000 };
const dist = process.argv[2] ?? 'dist';
const read = (file) => readFileSync(join(dist, file), 'utf8');
const sum = (files) => [...files].reduce((bytes, file) => bytes + gzipSync(readFileSync(join(dist, file))).length, 0);

/** Files with all that they import statically. */
function closure(files) {
  const seen = new Set();
  const todo = [...files];
  for (let file = todo.pop(); file !== undefined; file = todo.pop()) {
    if (seen.has(file)) continue;
    seen.add(file);
    if (!file.endsWith('.js')) continue;
    for (const [, name] of read(file).matchAll(/(?:import|from)\s*["']\.\/([^"']+)["']/g)) todo.push(`assets/${name}`);
  }
  return seen;
}

const html = read('index.html');
const code = readdirSync(join(dist, 'assets')).filter((name) => /\.(js|css)$/.test(name)).map((name) => `assets/${name}`);
const languages = code.filter((file) => /^assets\/(de|en)-/.test(file)).sort((a, b) => sum([b]) - sum([a]));
const smaller = new Set(languages.slice(1));
const isPortal = (file) => /^assets\/portal[.-]/i.test(file);
const portal = code.filter((file) => isPortal(file) && !/portal\.en/.test(file));
const named = [...html.matchAll(/(?:src|href)="\/([^"]+\.(?:js|css))"/g)].map(([, file]) => file);
const first = closure(['index.html', ...named, ...languages.slice(0, 1)]);
const loaded = {
  'before joining': sum(first),
  'with the meeting': sum(new Set(['index.html', ...named, ...code.filter((file) => !smaller.has(file) && !isPortal(file))])),
  'with the portal': sum(new Set([...first, ...closure(portal)])),
};

const faults = [];
if (portal.length === 0 || [...first].some(isPortal)) faults.push('the portal is not a chunk of its own');
if (languages.length === 0) faults.push('no language was found among the assets');
if (/<style|style=|<script(?![^>]*src=)/.test(html)) faults.push('index.html holds inline script or style');
if (code.some((file) => read(file).includes('Quarterly review'))) faults.push('the story page is in the build');
for (const [what, bytes] of Object.entries(loaded)) {
  console.log(`${what}: ${bytes} bytes gzip, limit ${LIMITS[what]}`);
  if (bytes > LIMITS[what]) faults.push(`${what} is over its budget`);
}
for (const fault of faults) console.log(fault);
process.exit(faults.length > 0 ? 1 : 0);
