// Cut connections and reloads.
import { expect, test } from './fixtures'
import { LossyRelay } from './lossy'
import { watchPackets } from './person'
import { Relay } from './proxy'

test('cut websockets come back while the picture goes on', async ({ server, person }) => {
  const relay = new Relay(server.port + 500, server.port)
  await relay.start()
  const origin = `http://127.0.0.1:${relay.port}`
  const ada = await person('Ada', { origin })
  const ben = await person('Ben', { tone: 1000 })
  await ben.join(server.room, { microphone: true, camera: true })
  await ada.join(`${origin}/r/${server.code}`, { microphone: true, camera: true })
  await ada.sees(['Ben'])
  await ada.page.evaluate(watchPackets)

  const cutMeeting = Date.now()
  expect(relay.cut('/api/meeting/ws')).toBe(1)
  await ben.id('toggle-chat').click()
  await ben.id('chat-input').fill('said while the line was cut')
  await ben.id('chat-input').press('Enter')
  await ada.id('toggle-chat').click()
  await expect(ada.id('chat-message')).toContainText('said while the line was cut', { timeout: 3_000 })
  console.log(`meeting websocket back after ${Date.now() - cutMeeting} ms`)

  const cutSignal = Date.now()
  expect(relay.cut('/rtc/v1')).toBe(1)
  await ada.page.waitForFunction(() => (window as any).__conf.room.state !== 'connected', undefined, { timeout: 5_000, polling: 20 })
  await ada.page.waitForFunction(() => (window as any).__conf.room.state === 'connected', undefined, { timeout: 6_000, polling: 20 })
  console.log(`signalling back after ${Date.now() - cutSignal} ms`)
  await ada.sees(['Ben'])
  await ben.sees(['Ada'])
  await ben.hears({ Ada: 440 })
  const pause = await ada.page.evaluate(() => (window as any).__pause.longest)
  console.log(`longest pause of the remote picture: ${Math.round(pause)} ms`)
  expect(pause).toBeLessThan(1_000)
  relay.stop()
})

test('a reload brings the same participant back', async ({ server, person }) => {
  const ada = await person('Ada')
  const ben = await person('Ben', { tone: 1000 })
  await ada.join(server.room)
  await ben.join(server.room, { camera: true })
  await ada.sees(['Ben'])
  await ada.page.reload()
  await expect(ada.id('connection')).toHaveAttribute('data-state', 'connected')
  await ada.sees(['Ben'])
  await ada.id('toggle-people').click()
  await expect(ada.id('person')).toHaveCount(2)
})

test.describe('over a network that loses every twentieth datagram', () => {
  const relayed = 25_900
  test.use({ settings: { CONF_MEDIA__LISTEN: `127.0.0.1:${relayed - 1}`, CONF_MEDIA__ADVERTISE: `127.0.0.1:${relayed}` } })

  test('pictures and sound go on, repaired by retransmission', async ({ server, person }) => {
    const relay = new LossyRelay(relayed, relayed - 1)
    await relay.start()
    const ada = await person('Ada', { tone: 440 })
    const ben = await person('Ben', { tone: 1000 })
    await ada.join(server.room, { microphone: true, camera: true })
    await ben.join(server.room, { microphone: true, camera: true })
    await ada.sees(['Ben'])
    relay.loss = 0.05
    const before = await ada.framesDecoded()
    // Long enough for losses of both kinds: towards the server and towards the subscribers.
    await expect.poll(() => relay.lost, { timeout: 40_000 }).toBeGreaterThan(150)
    const after = await ada.framesDecoded()
    expect(after['Ben/camera']).toBeGreaterThan((before['Ben/camera'] ?? 0) + 30)
    await ada.sees(['Ben'])
    await ben.hears({ Ada: 440 })
    const metrics = await server.metrics()
    const count = (name: string) => Number(new RegExp(`^${name}(?:{[^}]*})? (\\d+)`, 'm').exec(metrics)?.[1] ?? 0)
    expect(count('conf_media_resent_total'), metrics).toBeGreaterThan(0)
    relay.stop()
  })
})
