// A person in Firefox, driven over WebDriver BiDi; the page and what is asked of it are those of `person.ts`.
import { expect } from '@playwright/test'
import { execFileSync } from 'node:child_process'
import puppeteer, { type Browser, type BrowserContext, type Page } from 'puppeteer-core'
import { cipher, decoded, energies, OFTEN } from './person'

/** Without a prompt, with fake devices, and with candidates on loopback. */
const PREFERENCES = {
  'media.peerconnection.ice.loopback': true,
  'media.peerconnection.ice.obfuscate_host_addresses': false,
  'media.navigator.streams.fake': true,
  'permissions.default.camera': 1,
  'permissions.default.microphone': 1,
  'media.autoplay.default': 0,
  'media.gmp-manager.updateEnabled': false,
  'intl.accept_languages': 'en-GB'
}

/** Firefox, whose microphone hears one tone. */
export async function firefoxWithTone(hertz: number): Promise<Browser> {
  return puppeteer.launch({
    browser: 'firefox',
    executablePath: execFileSync('sh', ['-c', 'command -v firefox-esr']).toString().trim(),
    headless: true,
    extraPrefsFirefox: { ...PREFERENCES, 'media.navigator.audio.fake_frequency': hertz }
  })
}

export class FirefoxPerson {
  /** Requests to another origin and errors of the page: both must stay empty. */
  readonly foreign: string[] = []
  readonly errors: string[] = []

  private constructor(readonly name: string, readonly context: BrowserContext, readonly page: Page) {}

  static async open(browser: Browser, name: string, origin: string): Promise<FirefoxPerson> {
    const context = await browser.createBrowserContext()
    const page = await context.newPage()
    await page.setViewport({ width: 1280, height: 800 })
    const person = new FirefoxPerson(name, context, page)
    const host = new URL(origin).host
    page.on('request', (request) => {
      const url = new URL(request.url())
      if (['http:', 'https:', 'ws:', 'wss:'].includes(url.protocol) && url.host !== host) person.foreign.push(request.url())
    })
    page.on('pageerror', (error) => {
      // What Firefox says of a socket that a test cut while something still loaded.
      if (!/was interrupted while the page was loading/.test(String(error))) person.errors.push(String(error))
    })
    page.on('console', (message) => {
      if (message.type() === 'error' && /Content-Security-Policy|Uncaught/.test(message.text())) person.errors.push(message.text())
    })
    return person
  }

  async join(link: string, devices: { microphone?: boolean; camera?: boolean } = {}): Promise<void> {
    await this.page.goto(link)
    await this.fill('name', this.name)
    if (devices.microphone) await this.click('toggle-microphone')
    if (devices.camera) await this.click('toggle-camera')
    await this.click('join')
    await this.shows('connection', 'data-state', 'connected')
  }

  async fill(testId: string, text: string): Promise<void> {
    await this.page.locator(`[data-testid="${testId}"]`).fill(text)
  }

  async click(testId: string): Promise<void> {
    await this.page.locator(`[data-testid="${testId}"]`).click()
  }

  /** Waits until the first element with this test id has the value in its attribute. */
  async shows(testId: string, attribute: string, value: string): Promise<void> {
    await this.page.waitForSelector(`[data-testid="${testId}"][${attribute}="${value}"]`, { timeout: 30_000 })
  }

  /** Waits until an element with this test id holds these words. */
  async reads(testId: string, words: string): Promise<void> {
    const texts = () => this.page.$$eval(`[data-testid="${testId}"]`, (found) => found.map((one) => one.textContent).join('\n'))
    await expect.poll(texts).toContain(words)
  }

  /** Waits until the state of the signalling is what is asked for. */
  async roomIs(wanted: (state: string) => boolean): Promise<void> {
    const state = () => this.page.evaluate(() => String((window as any).__conf.room.state))
    await expect.poll(async () => wanted(await state()), { intervals: [50] }).toBe(true)
  }

  async srtpCipher(): Promise<string> {
    return this.page.evaluate(cipher)
  }

  async framesDecoded(): Promise<Record<string, number>> {
    return this.page.evaluate(decoded)
  }

  async sees(names: string[]): Promise<void> {
    const first = await this.framesDecoded()
    await expect
      .poll(async () => {
        const now = await this.framesDecoded()
        return names.filter((name) => !((now[`${name}/camera`] ?? 0) > (first[`${name}/camera`] ?? 0) + 5))
      }, { message: `${this.name} sees ${names.join(', ')}`, timeout: 30_000, intervals: OFTEN })
      .toEqual([])
  }

  /**
   * Waits until sound of these people comes in. Its pitch can't be asked for: on a machine without a sound card
   * Firefox keeps every AudioContext suspended.
   */
  async hears(names: string[]): Promise<void> {
    const first = await this.page.evaluate(energies)
    await expect
      .poll(async () => {
        const now = await this.page.evaluate(energies)
        return names.filter((name) => !((now[name] ?? 0) > (first[name] ?? 0) + 1e-4))
      }, { message: `${this.name} hears ${names.join(', ')}`, timeout: 30_000, intervals: OFTEN })
      .toEqual([])
  }

  async close(): Promise<void> {
    await this.context.close()
  }
}
