// HTTPS with a certificate authority of our own, which the browser trusts like any other (in a home
// folder of its own): two people meet over wss, the cookie is Secure, plain HTTP leads to HTTPS.
import { expect, test } from '@playwright/test'
import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { browserWithTone, Person } from './person'
import { until } from './server'

const PORT = 23_443
const NAME = 'meet.localhost'
const ORIGIN = `https://${NAME}:${PORT}`
const PLAIN = `http://${NAME}:${PORT + 1}`

let folder = ''
let home: string | undefined
let server: ChildProcess
let log = ''

/** Makes the authority and the server's certificate; the browser of this home trusts the first. */
function certify(): void {
  const openssl = (...words: string[]) => execFileSync('openssl', words, { cwd: folder, stdio: 'pipe' })
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '30']
  openssl('req', '-x509', ...key, '-keyout', 'ca.key', '-out', 'ca.pem', '-subj', '/CN=Test authority')
  openssl('req', '-x509', ...key, '-keyout', 'key.pem', '-out', 'cert.pem', '-subj', `/CN=${NAME}`, '-CA', 'ca.pem', '-CAkey', 'ca.key',
    '-addext', `subjectAltName=DNS:${NAME}`, '-addext', 'basicConstraints=critical,CA:FALSE')
  execFileSync('chmod', ['600', join(folder, 'key.pem')])
  const store = join(folder, '.pki/nssdb')
  mkdirSync(store, { recursive: true })
  const trust = (...words: string[]) => execFileSync('certutil', ['-d', `sql:${store}`, ...words], { stdio: 'pipe' })
  trust('-N', '--empty-password')
  trust('-A', '-t', 'C,,', '-n', 'test', '-i', join(folder, 'ca.pem'))
}

test.beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'conf-https-'))
  home = process.env.HOME
  process.env.HOME = folder
  certify()
  server = spawn(process.env.E2E_SERVER_BIN ?? '', [], {
    cwd: folder,
    env: {
      CONF_HTTP__LISTEN: `127.0.0.1:${PORT}`,
      CONF_HTTP__REDIRECT_LISTEN: `127.0.0.1:${PORT + 1}`,
      CONF_HTTP__PUBLIC_URL: ORIGIN,
      CONF_TLS__CERT: 'cert.pem',
      CONF_TLS__KEY: 'key.pem',
      CONF_MEDIA__LISTEN: `127.0.0.1:${PORT + 2000}`,
      CONF_METRICS__LISTEN: 'off'
    }
  })
  const keep = (chunk: Buffer) => (log += chunk.toString())
  server.stdout?.on('data', keep)
  server.stderr?.on('data', keep)
  await until(async () => link('r/').length > 0 && link('welcome#').length > 0, 10_000, () => `no links:\n${log}`)
})

test.afterAll(async () => {
  process.env.HOME = home
  const ended = new Promise((resolve) => server.once('exit', resolve))
  server.kill('SIGTERM')
  await ended
  rmSync(folder, { recursive: true, force: true })
})

/** A link that the server printed. */
function link(path: string): string {
  return new RegExp(`${ORIGIN}/${path}\\S+`).exec(log)?.[0] ?? ''
}

test('two people meet over https and wss, led there from plain http', async () => {
  const browser = await browserWithTone(440)
  const ada = await Person.open(browser, 'Ada', ORIGIN)
  const ben = await Person.open(browser, 'Ben', ORIGIN)
  const sockets: string[] = []
  ada.page.on('websocket', (socket) => sockets.push(socket.url()))
  const answer = await ada.page.goto(ORIGIN)
  expect(answer?.headers()['strict-transport-security']).toBe('max-age=31536000')
  await ada.join(link('r/'), { microphone: true, camera: true })
  await ben.join(link('r/'))
  await ben.sees(['Ada'])
  expect(sockets.length).toBeGreaterThan(0)
  expect(sockets.filter((url) => !url.startsWith(`wss://${NAME}:${PORT}/`))).toEqual([])
  expect(await ada.page.evaluate(() => window.isSecureContext && location.protocol)).toBe('https:')
  expect([...ada.foreign, ...ben.foreign, ...ada.errors, ...ben.errors]).toEqual([])

  // A fresh context: nothing is known of HTTPS yet.
  const page = await (await browser.newContext()).newPage()
  const headers = { host: `${NAME}:${PORT + 1}` }
  const led = await page.request.get(`http://127.0.0.1:${PORT + 1}/r/AAAAAAAAAAAAAAAA?x=1`, { headers, maxRedirects: 0 })
  expect([led.status(), led.headers()['location']]).toEqual([308, `${ORIGIN}/r/AAAAAAAAAAAAAAAA?x=1`])
  await page.goto(`${PLAIN}/privacy`)
  expect(page.url()).toBe(`${ORIGIN}/privacy`)
  await browser.close()
})

test('the cookie of an account is Secure and HttpOnly', async () => {
  const browser = await browserWithTone(440)
  const ada = await Person.open(browser, 'Ada', ORIGIN)
  await ada.page.goto(ORIGIN)
  expect(await ada.context.cookies()).toEqual([])
  const status = await ada.page.evaluate(async (token) => {
    const body = JSON.stringify({ token, name: 'Ada', email: 'ada@example.org', password: 'a long enough password' })
    return (await fetch('/api/v1/links/use', { method: 'POST', headers: { 'content-type': 'application/json' }, body })).status
  }, link('welcome#').split('#')[1])
  expect(status).toBe(201)
  const [cookie, ...others] = await ada.context.cookies()
  expect(others).toEqual([])
  expect(cookie).toMatchObject({ name: 'sid', secure: true, httpOnly: true, sameSite: 'Lax', path: '/' })
  await browser.close()
})
