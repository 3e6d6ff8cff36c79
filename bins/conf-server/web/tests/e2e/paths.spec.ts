// Other ways of media than UDP to the address of the server: TCP, a relay, an address that changes.
import { Coturn } from './coturn'
import { expect, test } from './fixtures'
import { LossyRelay } from './lossy'
import { path, relayOnly, watchPackets } from './person'

test.describe('where the network lets no UDP through', () => {
  test.use({ settings: { CONF_MEDIA__ADVERTISE: 'tcp:127.0.0.1' } })

  test('people see and hear each other over TCP', async ({ server, person }) => {
    const ada = await person('Ada', { tone: 440 })
    const ben = await person('Ben', { tone: 1000 })
    await ada.join(server.room, { microphone: true, camera: true })
    await ben.join(server.room, { microphone: true, camera: true })
    for (const [one, other, tone] of [[ada, 'Ben', 1000], [ben, 'Ada', 440]] as const) {
      await one.sees([other])
      await one.hears({ [other]: tone })
      expect(await one.page.evaluate(path)).toMatch(/\/tcp$/)
    }
    expect(await server.metrics()).toMatch(/^conf_media_tcp_connections [1-9]/m)
  })
})

test.describe('where the server is reached over IPv6', () => {
  const [port, address] = [25_930, process.env.E2E_IPV6 ?? '']
  test.skip(!address, 'only where `cargo xtask test e2e` gave the namespace an address')
  test.use({ settings: { CONF_MEDIA__LISTEN: `[::]:${port}`, CONF_MEDIA__ADVERTISE: address } })

  test('people see and hear each other over it', async ({ server, person }) => {
    const ada = await person('Ada', { tone: 440 })
    const ben = await person('Ben', { tone: 1000 })
    await ada.join(server.room, { microphone: true, camera: true })
    await ben.join(server.room, { microphone: true, camera: true })
    await ada.sees(['Ben'])
    await ben.hears({ Ada: 440 })
    expect(await ada.page.evaluate(path)).toMatch(/\/udp$/)
  })
})

test.describe('where the network lets nothing but a relay through', () => {
  const [port, secret] = [26_900, 'a-secret-shared-with-coturn']
  const udp = `turn:127.0.0.1:${port}?transport=udp`
  test.use({ settings: { CONF_TURN__URLS: udp, CONF_TURN__SECRET: secret } })

  test('people see and hear each other through it', async ({ server, person }) => {
    const coturn = new Coturn(port, secret)
    await coturn.start()
    const ada = await person('Ada', { tone: 440 })
    const ben = await person('Ben', { tone: 1000 })
    for (const one of [ada, ben]) await one.page.addInitScript(relayOnly)
    await ada.join(server.room, { microphone: true, camera: true })
    await ben.join(server.room, { microphone: true, camera: true })
    for (const [one, other, tone] of [[ada, 'Ben', 1000], [ben, 'Ada', 440]] as const) {
      await one.sees([other])
      await one.hears({ [other]: tone })
      expect(await one.page.evaluate(path)).toBe('relay/udp')
    }
    await coturn.stop()
    const privacy = await (await fetch(`${server.url}/privacy?lang=en`)).text()
    expect(privacy).toContain('127.0.0.1')
  })
})

test.describe('behind a NAT', () => {
  const relayed = 25_910
  test.use({ settings: { CONF_MEDIA__LISTEN: `127.0.0.1:${relayed - 1}`, CONF_MEDIA__ADVERTISE: `udp:127.0.0.1:${relayed}` } })

  test('that forgets, media goes on within 3 s in the same session', async ({ server, person }) => {
    const relay = new LossyRelay(relayed, relayed - 1)
    await relay.start()
    const ada = await person('Ada', { tone: 440 })
    const ben = await person('Ben', { tone: 1000 })
    await ada.join(server.room, { microphone: true, camera: true })
    await ben.join(server.room, { microphone: true, camera: true })
    await ada.sees(['Ben'])
    const pauses: number[] = []
    for (let round = 0; round < 3; round++) {
      await ada.page.evaluate(watchPackets)
      expect(relay.rebind()).toBeGreaterThanOrEqual(2)
      await ada.sees(['Ben'])
      pauses.push(Math.round(await ada.page.evaluate(() => (window as any).__pause.longest)))
    }
    console.log(`longest pauses of the picture after a rebinding: ${pauses.join(', ')} ms`)
    // Chromium looks at its path every 2.5 s and both ends were cut: one round may be unlucky with both.
    const [, median, longest] = pauses.sort((a, b) => a - b)
    expect(median).toBeLessThanOrEqual(3_000)
    expect(longest).toBeLessThanOrEqual(4_500)
    expect(await server.metrics()).toMatch(/^conf_media_peers 2$/m)
    relay.stop()
  })

  test('whose network changes restarts ICE and has media again within 1.5 s', async ({ server, person }) => {
    const relay = new LossyRelay(relayed, relayed - 1)
    await relay.start()
    const ada = await person('Ada', { tone: 440 })
    const ben = await person('Ben', { tone: 1000 })
    await ben.join(server.room, { microphone: true, camera: true })
    await ada.join(server.room, { microphone: true, camera: true })
    await ada.sees(['Ben'])
    const pauses: number[] = []
    for (let round = 0; round < 3; round++) {
      relay.cutOff()
      // Both are cut off; Ben first, so that the pause measured is that of Ada's restart.
      for (const one of [ben, ada]) {
        await one.page.evaluate(watchPackets)
        await one.page.evaluate(() => (window as any).__conf.room.engine.pcManager.publisher.createAndSendOffer({ iceRestart: true }))
      }
      await ada.sees(['Ben'])
      pauses.push(Math.round(await ada.page.evaluate(() => (window as any).__pause.longest)))
    }
    console.log(`longest pauses of the picture after a restart: ${pauses.join(', ')} ms`)
    expect(Math.max(...pauses)).toBeLessThanOrEqual(1_500)
    relay.stop()
  })
})
