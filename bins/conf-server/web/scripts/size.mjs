/** Holds the budgets after `npm run build`: what is fetched before joining, and with the meeting, gzipped. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';

const dist = process.argv[2] ?? 'dist';
const assets = readdirSync(join(dist, 'assets')).filter((name) => /\.(js|css)$/.test(name));
const kilobytes = (names) => names.reduce((sum, name) => sum + gzipSync(readFileSync(join(dist, 'assets', name)), { level: 9 }).length, 0) / 1_000;
const languages = assets.filter((name) => /^(de|en)-/.test(name)).sort((a, b) => kilobytes([b]) - kilobytes([a]));
const before = [...assets.filter((name) => name.startsWith('index-')), ...languages.slice(0, 1)];
const all = [...assets.filter((name) => !languages.includes(name)), ...languages.slice(0, 1)];

let broken = false;
for (const [what, names, limit] of [['before joining', before, 90], ['with the meeting', all, 300]]) {
  const size = kilobytes(names);
  broken ||= size > limit;
  console.log(`${what}: ${size.toFixed(1)} kB of ${limit} kB`);
}
const html = readFileSync(join(dist, 'index.html'), 'utf8');
if (/<style|style=|<script(?![^>]*src=)/.test(html)) {
  broken = true;
  console.log('index.html holds inline script or style: the content security policy would stop it');
}
process.exit(broken ? 1 : 0);
