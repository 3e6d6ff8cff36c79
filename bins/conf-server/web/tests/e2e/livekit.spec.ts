// An unmodified livekit-client on a page of its own, with a token of the operator's API key.
import { twoEmbedders } from './embedder'
import { expect, test } from './fixtures'
import { token } from './token'

test('the unmodified client joins, publishes, subscribes, mutes, shares and leaves', async ({ server, withTone }) => {
  const { one, two, close } = await twoEmbedders(server, await withTone(440), { adaptiveStream: false, dynacast: true })
  await one.evaluate(async () => {
    const local = (window as any).room.localParticipant
    await local.setCameraEnabled(true)
    await local.setMicrophoneEnabled(true)
    await local.setScreenShareEnabled(true)
  })
  const seen = () =>
    two.evaluate(async () => {
      const found: Record<string, number | boolean> = {}
      const remote = (window as any).room.remoteParticipants.get('one')
      for (const publication of remote?.trackPublications.values() ?? []) {
        const stats = await publication.track?.receiver?.getStats()
        stats?.forEach((entry: any) => {
          if (entry.type === 'inbound-rtp') found[publication.source] = (entry.framesDecoded ?? entry.packetsReceived) > 5
        })
        if (publication.source === 'microphone') found.muted = publication.isMuted
      }
      return found
    })
  await expect.poll(seen, { timeout: 30_000 }).toEqual({ camera: true, microphone: true, screen_share: true, muted: false })
  await one.evaluate(() => (window as any).room.localParticipant.setMicrophoneEnabled(false))
  await expect.poll(seen).toMatchObject({ muted: true })
  await one.evaluate(() => (window as any).room.localParticipant.setScreenShareEnabled(false))
  await expect.poll(seen).not.toHaveProperty('screen_share')
  await one.evaluate(() => (window as any).room.disconnect())
  await expect.poll(() => two.evaluate(() => (window as any).room.remoteParticipants.size)).toBe(0)
  await close()
})

test('wrong, expired and misdirected tokens are refused with words', async ({ server }) => {
  const validate = async (jwt: string) => {
    const answer = await fetch(`${server.url}/rtc/v1/validate?access_token=${jwt}`)
    return [answer.status, await answer.text()] as const
  }
  expect((await validate('nonsense'))[0]).toBe(401)
  const [status, words] = await validate(token('late', server.code, { exp: Math.floor(Date.now() / 1000) - 3600 }))
  expect(status).toBe(401)
  expect(words).toMatch(/expired/)
  expect((await validate(token('lost', server.code, { video: { roomJoin: false, room: server.code } })))[0]).toBeGreaterThanOrEqual(401)
  expect((await validate(token('guest', server.code)))[0]).toBe(200)
})

for (const codec of ['vp8', 'vp9', 'h264', 'av1']) {
  test(`pictures in ${codec} with simulcast or layers are forwarded`, async ({ server, withTone }) => {
    const { one, two, close } = await twoEmbedders(server, await withTone(440), { dynacast: false })
    await one.evaluate(async (codec) => {
      const options = { videoCodec: codec, backupCodec: false, simulcast: true }
      await (window as any).room.localParticipant.setCameraEnabled(true, undefined, options)
    }, codec)
    await expect
      .poll(
        () =>
          two.evaluate(async () => {
            const remote = (window as any).room.remoteParticipants.get('one')
            const stats = await [...(remote?.trackPublications.values() ?? [])][0]?.track?.receiver?.getStats()
            let codec = ''
            let frames = 0
            stats?.forEach((entry: any) => {
              if (entry.type === 'codec') codec = entry.mimeType.toLowerCase()
              if (entry.type === 'inbound-rtp') frames = entry.framesDecoded
            })
            return frames > 10 ? codec : `${codec} ${frames} frames`
          }),
        { timeout: 30_000 }
      )
      .toBe(`video/${codec}`)
    await close()
  })
}

test('messages, text streams, files and calls go from page to page in the name of their sender', async ({ server, withTone }) => {
  const { one, two, close } = await twoEmbedders(server, await withTone(440), {})
  await two.evaluate(() => {
    const page = window as any
    page.heard = []
    page.room.on('dataReceived', (bytes: Uint8Array, from: any, kind: number, topic: string) => {
      page.heard.push([new TextDecoder().decode(bytes), from?.identity, kind, topic])
    })
    page.room.registerTextStreamHandler('lk.chat', async (reader: any, from: any) => {
      page.heard.push([await reader.readAll(), from.identity, 'text', reader.info.topic])
    })
    page.room.registerByteStreamHandler('file', async (reader: any, from: any) => {
      const begin = performance.now()
      const chunks = await reader.readAll()
      page.seconds = (performance.now() - begin) / 1000
      const length = chunks.reduce((sum: number, chunk: Uint8Array) => sum + chunk.length, 0)
      page.heard.push([length, from.identity, 'bytes', reader.info.name])
    })
    page.room.registerRpcMethod('greet', async (call: any) => `${call.payload}, ${call.callerIdentity}`)
  })
  const answer = await one.evaluate(async () => {
    const local = (window as any).room.localParticipant
    const bytes = (text: string) => new TextEncoder().encode(text)
    await local.publishData(bytes('certain'), { reliable: true, topic: 'a' })
    await local.publishData(bytes('perhaps'), { reliable: false, topic: 'b', destinationIdentities: ['two'] })
    await local.publishData(bytes('for nobody'), { reliable: true, destinationIdentities: ['three'] })
    await local.sendText('grüß dich', { topic: 'lk.chat' })
    const noise = Array.from({ length: 50 }, () => crypto.getRandomValues(new Uint8Array(60_000))) // not to be compressed
    await local.sendFile(new File(noise, 'large.bin'), { topic: 'file' })
    return local.performRpc({ destinationIdentity: 'two', method: 'greet', payload: 'hello' })
  })
  expect(answer).toBe('hello, one')
  const heard = () => two.evaluate(() => (window as any).heard)
  await expect.poll(async () => (await heard()).length, { timeout: 30_000 }).toBe(4)
  expect(await heard()).toEqual(
    expect.arrayContaining([
      ['certain', 'one', 0, 'a'],
      ['perhaps', 'one', 1, 'b'],
      ['grüß dich', 'one', 'text', 'lk.chat'],
      [3_000_000, 'one', 'bytes', 'large.bin']
    ])
  )
  // 3 MB at 1 MiB/s, of which the first goes at once: the sender was slowed down, and lost nothing. As the
  // receiver saw it: to the sender a file is sent when the browser has taken it.
  const seconds = await two.evaluate(() => (window as any).seconds)
  expect(seconds).toBeGreaterThan(1)
  expect(seconds).toBeLessThan(10)
  await close()
})

test('whoever may not send data is not heard, and hears the others', async ({ server, withTone }) => {
  const { one, two, close } = await twoEmbedders(server, await withTone(440), {}, { one: { canPublishData: false } })
  for (const page of [one, two]) {
    await page.evaluate(() => {
      const page = window as any
      page.heard = []
      page.room.on('dataReceived', (bytes: Uint8Array) => page.heard.push(new TextDecoder().decode(bytes)))
    })
  }
  for (const page of [one, two]) {
    await page.evaluate(async () => {
      const local = (window as any).room.localParticipant
      await local.publishData(new TextEncoder().encode(`from ${local.identity}`), { reliable: true })
    })
  }
  await expect.poll(() => one.evaluate(() => (window as any).heard)).toEqual(['from two'])
  expect(await two.evaluate(() => (window as any).heard)).toEqual([])
  await close()
})
