// What a browser loads, compressed: pre-join (all that index.html names, and what that imports at
// once) and the whole meeting. Fails over budget. Usage: node tests/sizes.mjs DIST
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'

const dist = process.argv[2] ?? 'dist'
const limits = { prejoin: 90_000, meeting: 300_000 }
const size = (file) => gzipSync(readFileSync(join(dist, file))).length
const html = readFileSync(join(dist, 'index.html'), 'utf8')

/** Static imports of a script, followed to the end. */
function closure(start) {
  const seen = new Set()
  const todo = [...start]
  while (todo.length > 0) {
    const file = todo.pop()
    if (seen.has(file)) continue
    seen.add(file)
    if (!file.endsWith('.js')) continue
    const text = readFileSync(join(dist, file), 'utf8')
    const folder = file.split('/').slice(0, -1).join('/')
    for (const [, name] of text.matchAll(/(?:import|from)\s*["']\.\/([^"']+)["']/g)) todo.push(`${folder}/${name}`)
  }
  return seen
}

const named = [...html.matchAll(/(?:src|href)="\/(assets\/[^"]+\.(?:js|css))"/g)].map(([, file]) => file)
const prejoin = [...closure(named)].reduce((sum, file) => sum + size(file), size('index.html'))
const code = readdirSync(join(dist, 'assets')).filter((file) => /\.(js|css)$/.test(file))
const meeting = code.reduce((sum, file) => sum + size(`assets/${file}`), size('index.html'))

let failed = false
for (const [what, bytes] of Object.entries({ prejoin, meeting })) {
  console.log(`${what}: ${bytes} bytes gzip, limit ${limits[what]}`)
  failed ||= bytes > limits[what]
}
process.exit(failed ? 1 : 0)
