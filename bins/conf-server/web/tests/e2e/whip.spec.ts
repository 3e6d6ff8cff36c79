// Tools by WHIP and WHEP: plain RTCPeerConnection and fetch on pages of another origin, together
// with a person in the web client.
import { createServer } from 'node:http'
import type { Page } from '@playwright/test'
import { expect, test } from './fixtures'
import { browserWithTone } from './person'
import { token } from './token'

/** Runs in the page: offers, and connects with the answer; the session's address. */
async function enter([url, jwt, publish]: readonly [string, string, boolean]): Promise<string> {
  const page = window as any
  const connection = new RTCPeerConnection()
  page.connection = connection
  if (publish) {
    const stream = await navigator.mediaDevices.getUserMedia({ audio: true, video: { width: 640, height: 360 } })
    const [microphone] = stream.getAudioTracks()
    const [camera] = stream.getVideoTracks()
    if (!microphone || !camera) throw new Error('the browser gave no microphone or no camera')
    connection.addTransceiver(microphone, { direction: 'sendonly', streams: [stream] })
    const sendEncodings = ['q', 'h', 'f'].map((rid, at) => ({ rid, scaleResolutionDownBy: 4 / 2 ** at }))
    connection.addTransceiver(camera, { direction: 'sendonly', streams: [stream], sendEncodings })
  } else {
    // Sound is decoded only where somebody listens.
    page.ears = new Audio()
    page.ears.autoplay = true
    page.ears.srcObject = new MediaStream([connection.addTransceiver('audio', { direction: 'recvonly' }).receiver.track])
    connection.addTransceiver('video', { direction: 'recvonly' })
    connection.addTransceiver('video', { direction: 'recvonly' })
  }
  await connection.setLocalDescription()
  const headers = { authorization: `Bearer ${jwt}`, 'content-type': 'application/sdp' }
  const answer = await fetch(url, { method: 'POST', headers, body: connection.localDescription?.sdp })
  const sdp = await answer.text()
  if (answer.status !== 201) throw new Error(`${answer.status} ${sdp}`)
  await connection.setRemoteDescription({ type: 'answer', sdp })
  return answer.headers.get('location') ?? ''
}

/** Runs in the page: whether sound comes, and how many pictures. */
async function received(): Promise<{ sound: boolean; pictures: number }> {
  let sound = false
  let pictures = 0
  for (const entry of (await (window as any).connection.getStats()).values()) {
    if (entry.type !== 'inbound-rtp') continue
    if (entry.kind === 'audio' && (entry.totalAudioEnergy ?? 0) > 0.001) sound = true
    if (entry.kind === 'video' && (entry.framesDecoded ?? 0) > 5) pictures += 1
  }
  return { sound, pictures }
}

/** Runs in the page: the sizes that are really sent. */
async function sizes(): Promise<number> {
  const entries = [...(await (window as any).connection.getStats()).values()]
  return entries.filter((entry) => entry.type === 'outbound-rtp' && entry.kind === 'video' && entry.framesSent > 0).length
}

const forget = (page: Page, url: string, jwt: string) =>
  page.evaluate(async ([url, jwt]) => (await fetch(url, { method: 'DELETE', headers: { authorization: `Bearer ${jwt}` } })).status, [url, jwt] as const)

test('a tool publishes, another plays, and a person sees both ways', async ({ server, person }) => {
  const http = createServer((_, response) => {
    response.setHeader('content-type', 'text/html')
    response.end('<!doctype html><title>tool</title>')
  })
  const port = server.port + 300
  await new Promise<void>((resolve) => http.listen(port, '127.0.0.1', resolve))
  const browser = await browserWithTone(700)
  const tool = async () => {
    const page = await (await browser.newContext()).newPage()
    await page.goto(`http://127.0.0.1:${port}/`)
    return page
  }
  const ada = await person('Ada')
  await ada.join(server.room, { microphone: true, camera: true })
  const camera = await tool()
  const jwt = token('camera', server.code)
  const session = await camera.evaluate(enter, [`${server.url}/whip/${server.code}`, jwt, true] as const)
  await ada.sees(['camera'])
  await ada.hears({ camera: 700 })
  await expect.poll(() => camera.evaluate(sizes), { timeout: 30_000 }).toBeGreaterThan(1)

  const player = await tool()
  const ears = token('ears', server.code)
  const listening = await player.evaluate(enter, [`${server.url}/whep/${server.code}`, ears, false] as const)
  await expect.poll(() => player.evaluate(received), { timeout: 30_000 }).toEqual({ sound: true, pictures: 2 })
  await ada.page.getByTestId('toggle-people').click()
  await expect(ada.page.getByTestId('listeners')).toBeVisible()

  expect(await forget(player, `${server.url}${listening}`, ears)).toBe(200)
  await expect(ada.page.getByTestId('listeners')).toBeHidden()
  expect(await forget(camera, `${server.url}${session}`, jwt)).toBe(200)
  await expect(ada.page.getByTestId('person')).toHaveCount(1)
  expect(await forget(camera, `${server.url}${session}`, jwt)).toBe(404)
  await browser.close()
  http.close()
})
