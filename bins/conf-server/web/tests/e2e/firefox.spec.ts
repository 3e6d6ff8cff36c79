// Chromium and Firefox in one meeting, over both DTLS implementations.
import type { Browser } from 'puppeteer-core'
import { expect, test as base } from './fixtures'
import { FirefoxPerson, firefoxWithTone } from './firefox'
import { Coturn } from './coturn'
import { LossyRelay } from './lossy'
import { path, relayOnly, watchPackets } from './person'
import { Relay } from './proxy'

/** What each Firefox hears, Hz. */
const TONE = 1000

interface Worker {
  /** One browser for the first person of every test, one for the second: a tab in the background would be slowed down. */
  foxes: (index: number) => Promise<Browser>
}

interface Fixtures {
  /** Opens Firefox for a person, in a context of its own. */
  fox: (name: string, origin?: string) => Promise<FirefoxPerson>
}

const test = base.extend<Fixtures, Worker>({
  foxes: [
    async ({}, use) => {
      const browsers: Promise<Browser>[] = []
      await use((index) => (browsers[index] ??= firefoxWithTone(TONE)))
      for (const browser of browsers) await (await browser).close()
    },
    { scope: 'worker' }
  ],
  fox: async ({ server, foxes }, use) => {
    const people: FirefoxPerson[] = []
    await use(async (name, origin = server.url) => {
      const person = await FirefoxPerson.open(await foxes(people.length), name, origin)
      people.push(person)
      return person
    })
    for (const person of people) await person.close()
    expect(people.flatMap((person) => person.foreign), 'requests to another origin').toEqual([])
    expect(people.flatMap((person) => person.errors), 'errors in the pages').toEqual([])
  }
})

const other = '[data-testid=tile]:not([data-me=true])'

for (const dtls of ['dimpl', 'webrtc-dtls']) {
  test.describe(`with ${dtls}`, () => {
    test.use({ settings: { CONF_MEDIA__DTLS: dtls } })
    test.setTimeout(180_000) // Firefox needs some seconds to start, and two cores carry all of it

    test('Chromium and Firefox see and hear each other, mute and leave', async ({ server, person, fox }) => {
      const ada = await person('Ada', { tone: 440 })
      const fay = await fox('Fay')
      await ada.join(server.room, { microphone: true, camera: true })
      await fay.join(server.room, { microphone: true, camera: true })
      await ada.sees(['Fay'])
      await fay.sees(['Ada'])
      await ada.hears({ Fay: TONE })
      await fay.hears(['Ada'])
      expect(await ada.srtpCipher()).toContain('AEAD_AES_256_GCM')
      expect(await fay.srtpCipher()).toContain('AEAD_AES_256_GCM')

      await fay.click('toggle-microphone')
      await expect(ada.page.locator(other)).toHaveAttribute('data-muted', 'true')
      await ada.hears({ Fay: 0 })
      await fay.click('toggle-microphone')
      await expect(ada.page.locator(other)).toHaveAttribute('data-muted', 'false')
      await ada.hears({ Fay: TONE })
      await ada.id('toggle-microphone').click()
      await fay.shows('tile', 'data-muted', 'true')

      await fay.click('leave')
      await fay.click('confirm')
      await expect(ada.page.locator(other)).toHaveCount(0)
      expect(await server.metrics()).toContain('conf_media_handshake_panics_total 0')
    })

    test('Firefox comes back after its websockets are cut, and its picture goes on', async ({ server, person, fox }) => {
      const relay = new Relay(server.port + 500, server.port)
      await relay.start()
      const origin = `http://127.0.0.1:${relay.port}`
      const ada = await person('Ada', { tone: 440 })
      const fay = await fox('Fay', origin)
      await ada.join(server.room, { microphone: true, camera: true })
      await fay.join(`${origin}/r/${server.code}`, { microphone: true, camera: true })
      await ada.sees(['Fay'])
      await fay.sees(['Ada'])

      expect(relay.cut('/api/meeting/ws')).toBe(1)
      await ada.id('toggle-chat').click()
      await ada.id('chat-input').fill('said while the line was cut')
      await ada.id('chat-input').press('Enter')
      await fay.click('toggle-chat')
      await fay.reads('chat-message', 'said while the line was cut')

      expect(relay.cut('/rtc/v1')).toBe(1)
      await fay.roomIs((state) => state !== 'connected')
      await fay.roomIs((state) => state === 'connected')
      await fay.sees(['Ada'])
      await ada.sees(['Fay'])
      await ada.hears({ Fay: TONE })
      await fay.hears(['Ada'])
      relay.stop()
    })

    test('two in Chromium and two in Firefox all see and hear the others', async ({ server, person, fox }) => {
      const ada = await person('Ada', { tone: 440, width: 320, height: 240 })
      const ben = await person('Ben', { tone: 440, width: 320, height: 240 })
      const fay = await fox('Fay')
      const gil = await fox('Gil')
      for (const one of [ada, ben, fay, gil]) await one.join(server.room, { microphone: true, camera: true })
      const tones: Record<string, number> = { Ada: 440, Ben: 440, Fay: TONE, Gil: TONE }
      for (const one of [ada, ben]) {
        const others = Object.fromEntries(Object.entries(tones).filter(([name]) => name !== one.name))
        await one.sees(Object.keys(others), 'camera', 60_000) // four browsers start on two cores
        await one.hears(others)
      }
      for (const one of [fay, gil]) {
        const others = Object.keys(tones).filter((name) => name !== one.name)
        await one.sees(others)
        await one.hears(others)
      }
    })
  })
}

test.describe('other ways of media', () => {
  test.setTimeout(180_000)

  test.describe('where the network lets no UDP through', () => {
    test.use({ settings: { CONF_MEDIA__ADVERTISE: 'tcp:127.0.0.1' } })

    test('Firefox sees and is seen over TCP', async ({ server, person, fox }) => {
      const ada = await person('Ada', { tone: 440 })
      const fay = await fox('Fay')
      await ada.join(server.room, { microphone: true, camera: true })
      await fay.join(server.room, { microphone: true, camera: true })
      await ada.sees(['Fay'])
      await fay.sees(['Ada'])
      await ada.hears({ Fay: TONE })
      await fay.hears(['Ada'])
      expect(await fay.page.evaluate(path)).toMatch(/\/tcp$/)
    })
  })

  test.describe('where the network lets nothing but a relay through', () => {
    const [port, secret] = [26_910, 'a-secret-shared-with-coturn']
    test.use({ settings: { CONF_TURN__URLS: `turn:127.0.0.1:${port}?transport=udp`, CONF_TURN__SECRET: secret } })

    test('Firefox sees and is seen through it', async ({ server, person, fox }) => {
      const coturn = new Coturn(port, secret)
      await coturn.start()
      const ada = await person('Ada', { tone: 440 })
      const fay = await fox('Fay')
      await fay.page.evaluateOnNewDocument(relayOnly)
      await ada.join(server.room, { microphone: true, camera: true })
      await fay.join(server.room, { microphone: true, camera: true })
      await ada.sees(['Fay'])
      await fay.sees(['Ada'])
      await ada.hears({ Fay: TONE })
      expect(await fay.page.evaluate(path)).toBe('relay/udp')
      await coturn.stop()
    })
  })

  test.describe('behind a NAT that forgets', () => {
    const relayed = 25_920
    test.use({ settings: { CONF_MEDIA__LISTEN: `127.0.0.1:${relayed - 1}`, CONF_MEDIA__ADVERTISE: `udp:127.0.0.1:${relayed}` } })

    // Firefox checks its path every 4 to 6 s and no more often when nothing comes back, so this is what
    // it takes: we are ICE-lite and believe no address without a check.
    test('Firefox has media again with its next check', async ({ server, person, fox }) => {
      const relay = new LossyRelay(relayed, relayed - 1)
      await relay.start()
      const ada = await person('Ada', { tone: 440 })
      const fay = await fox('Fay')
      await ada.join(server.room, { microphone: true, camera: true })
      await fay.join(server.room, { microphone: true, camera: true })
      await fay.sees(['Ada'])
      const pauses: number[] = []
      for (let round = 0; round < 2; round++) {
        await fay.page.evaluate(watchPackets)
        relay.rebind()
        await fay.sees(['Ada'])
        pauses.push(Math.round(await fay.page.evaluate(() => (window as any).__pause.longest)))
      }
      console.log(`longest pauses of Firefox's picture after a rebinding: ${pauses.join(', ')} ms`)
      expect(Math.max(...pauses)).toBeLessThanOrEqual(8_000)
      relay.stop()
    })
  })
})
