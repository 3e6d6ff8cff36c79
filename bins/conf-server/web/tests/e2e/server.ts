// One release server a test, with its own data folder; its log is kept for the search at the end.
import { spawn, type ChildProcess } from 'node:child_process'
import { mkdtempSync, readFileSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { brotliDecompressSync, constants, gunzipSync, inflateSync } from 'node:zlib'

export const API = { key: 'e2e-key', secret: 'e2e-secret-of-at-least-32-characters' }

export class Server {
  readonly folder = mkdtempSync(join(tmpdir(), 'conf-e2e-'))
  readonly url: string
  log = ''
  /** From the start of the process to its first answer, ms. */
  readyAfter = 0
  code = ''
  private child?: ChildProcess

  constructor(readonly port: number, private readonly env: Record<string, string> = {}) {
    this.url = `http://127.0.0.1:${port}`
  }

  async start(): Promise<void> {
    const bin = process.env.E2E_SERVER_BIN
    if (!bin) throw new Error('E2E_SERVER_BIN is not set: run `cargo xtask test e2e`')
    this.child = spawn(bin, [], {
      cwd: this.folder,
      env: {
        // Not the caller's own settings: CONF_… of the build or of another server.
        ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('CONF_'))),
        CONF_HTTP__LISTEN: `127.0.0.1:${this.port}`,
        CONF_DATA_DIR: join(this.folder, 'data'),
        CONF_MEDIA__LISTEN: `127.0.0.1:${this.port + 2000}`,
        CONF_METRICS__LISTEN: `127.0.0.1:${this.port + 1000}`,
        CONF_API__KEY: API.key,
        CONF_API__SECRET: API.secret,
        ...this.env
      }
    })
    const begun = performance.now()
    const keep = (chunk: Buffer) => (this.log += chunk.toString())
    this.child.stdout?.on('data', keep)
    this.child.stderr?.on('data', keep)
    const isUp = async () => {
      if (this.child?.exitCode !== null) throw new Ended()
      return (await fetch(`${this.url}/ready`)).ok
    }
    await until(isUp, 10_000, () => `the server is not ready:\n${this.log}`)
    this.readyAfter = performance.now() - begun
    const open = await fetch(`${this.url}/api/v1/rooms/open`)
    this.code = ((await open.json()) as { code: string }).code
  }

  get room(): string {
    return `${this.url}/r/${this.code}`
  }

  /** The one-time link of the first administrator, as it was printed. */
  get firstLink(): string {
    const link = /http\S+\/welcome#\S+/.exec(this.log)?.[0]
    if (!link) throw new Error(`no one-time link was printed:\n${this.log}`)
    return link
  }

  /** Memory that the process holds, bytes. */
  get residentBytes(): number {
    const status = readFileSync(`/proc/${this.child?.pid}/status`, 'utf8')
    return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]) * 1024
  }

  async metrics(): Promise<string> {
    return (await fetch(`http://127.0.0.1:${this.port + 1000}/metrics`)).text()
  }

  /** Ends with SIGTERM, as an operator's service manager does. */
  async stop(): Promise<number | null> {
    const child = this.child
    if (!child || child.exitCode !== null) return child?.exitCode ?? null
    const ended = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)))
    child.kill('SIGTERM')
    return ended
  }

  /** Ends at once, as when the power goes. */
  async kill(): Promise<void> {
    const child = this.child
    if (!child || child.exitCode !== null) return
    const ended = new Promise((resolve) => child.once('exit', resolve))
    child.kill('SIGKILL')
    await ended
  }

  /** Where a word is found, in any of the forms it may be stored in: log and every file. */
  search(word: string): string[] {
    const forms = formsOf(word)
    const found = holds(Buffer.from(this.log), forms) ? ['log'] : []
    for (const file of filesUnder(this.folder)) if (holds(readFileSync(file), forms)) found.push(file)
    return found
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true })
  }
}

/** A word as text of several encodings, and as it looks inside JSON, HTML, addresses, hex and base64. */
function formsOf(word: string): Buffer[] {
  const utf8 = Buffer.from(word)
  const hex = utf8.toString('hex')
  const escaped = [...word].map((letter) => (letter < '\x7f' ? letter : `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`)).join('')
  const texts = [hex, hex.toUpperCase(), encodeURIComponent(word), encodeURIComponent(word).replaceAll('%20', '+'), escaped, ...base64Of(utf8, 'base64'), ...base64Of(utf8, 'base64url')]
  const utf16 = Buffer.from(word, 'utf16le')
  return [utf8, utf16, Buffer.from(utf16).swap16(), Buffer.from(word, 'latin1'), ...texts.map((text) => Buffer.from(text))]
}

/** Base64 depends on what stands before: three ways, without the letters that the neighbours change. */
function base64Of(bytes: Buffer, kind: 'base64' | 'base64url'): string[] {
  return [0, 1, 2].map((shift) => {
    const text = Buffer.concat([Buffer.alloc(shift), bytes]).toString(kind).replace(/=+$/, '')
    return text.slice(shift === 0 ? 0 : shift + 1, -1)
  })
}

/** Whether bytes hold one of the forms, as they are or inside something compressed. */
function holds(bytes: Buffer, forms: Buffer[]): boolean {
  return [bytes, ...unpacked(bytes)].some((plain) => forms.some((form) => plain.includes(form)))
}

/** What is behind every beginning of gzip or zlib, and the whole as brotli. */
function unpacked(bytes: Buffer): Buffer[] {
  const found = [attempt(() => brotliDecompressSync(bytes))]
  for (const [magic, unpack] of PACKED) {
    for (let at = bytes.indexOf(magic); at >= 0; at = bytes.indexOf(magic, at + 1)) {
      const rest = bytes.subarray(at)
      found.push(attempt(() => unpack(rest)))
    }
  }
  return found.filter((plain) => plain !== undefined)
}

function attempt(unpack: () => Buffer): Buffer | undefined {
  try {
    return unpack()
  } catch {
    return undefined
  }
}

const whole = { finishFlush: constants.Z_SYNC_FLUSH } // also what was cut off
const PACKED: [Buffer, (bytes: Buffer) => Buffer][] = [
  [Buffer.from([0x1f, 0x8b, 0x08]), (bytes) => gunzipSync(bytes, whole)],
  [Buffer.from([0x78, 0x01]), (bytes) => inflateSync(bytes, whole)],
  [Buffer.from([0x78, 0x9c]), (bytes) => inflateSync(bytes, whole)],
  [Buffer.from([0x78, 0xda]), (bytes) => inflateSync(bytes, whole)]
]

function filesUnder(folder: string): string[] {
  return readdirSync(folder).flatMap((name) => {
    const path = join(folder, name)
    return statSync(path).isDirectory() ? filesUnder(path) : [path]
  })
}

/** The process that was waited for is gone. */
class Ended extends Error {}

/** Polls until a condition holds; a refused connection counts as "not yet". */
export async function until(condition: () => Promise<boolean>, within: number, words: () => string): Promise<void> {
  const end = Date.now() + within
  for (;;) {
    const holds = await condition().catch((error) => (error instanceof Ended ? 'never' : false))
    if (holds === true) return
    if (holds === 'never' || Date.now() > end) throw new Error(words())
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}
