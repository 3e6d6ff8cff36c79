// Records the pictures of Chromium's camera, as its packetiser and pacer let them out: the table
// from which conf-load's shape `browser` plays. A relay in front of the media port reads the RTP
// headers, which are not encrypted; payload sizes are what is left without header and GCM's tag.
import { createServer } from 'node:http'
import { writeFileSync } from 'node:fs'
import { chromium, type Page } from '@playwright/test'
import { expect, test } from '../e2e/fixtures'
import { executablePath, FLAGS } from '../e2e/person'
import { LossyRelay } from '../e2e/lossy'
import { token } from '../e2e/token'

const SERVER_PORT = 23_000
const MEDIA_PORT = SERVER_PORT + 700
/** Until the bandwidth estimate has settled, ms; and how long is recorded. */
const SETTLES = 20_000
const RECORDS = 10_000
const WINDOWS = 5
const BITS_PER_SECOND = 1_200_000
const TAG = 16

interface Packet {
  at: bigint
  ssrc: number
  timestamp: number
  marker: boolean
  payload: number
}

/** The header of an RTP packet (RFC 3550, section 5.1); nothing for anything else. */
function read(datagram: Buffer): Packet | undefined {
  const first = datagram[0] ?? 0
  const second = datagram[1] ?? 0
  if (datagram.length < 12 + TAG || first >> 6 !== 2 || (second >= 192 && second <= 223)) return undefined
  let header = 12 + 4 * (first & 15)
  if (first & 0x10) header += 4 + 4 * datagram.readUInt16BE(header + 2)
  return {
    at: process.hrtime.bigint(),
    ssrc: datagram.readUInt32BE(8),
    timestamp: datagram.readUInt32BE(4),
    marker: second >= 128,
    payload: datagram.length - header - TAG
  }
}

/** Runs in the page: publishes one camera, one encoding, by WHIP. */
async function publish([url, jwt, bits]: readonly [string, string, number]): Promise<void> {
  const connection = new RTCPeerConnection()
  Object.assign(window, { connection })
  const video = { width: 1280, height: 720, frameRate: 30 }
  const stream = await navigator.mediaDevices.getUserMedia({ video })
  const [camera] = stream.getVideoTracks()
  if (!camera) throw new Error('the browser gave no camera')
  connection.addTransceiver(camera, { direction: 'sendonly', streams: [stream], sendEncodings: [{ maxBitrate: bits }] })
  await connection.setLocalDescription()
  const headers = { authorization: `Bearer ${jwt}`, 'content-type': 'application/sdp' }
  const answer = await fetch(url, { method: 'POST', headers, body: connection.localDescription?.sdp })
  if (answer.status !== 201) throw new Error(await answer.text())
  await connection.setRemoteDescription({ type: 'answer', sdp: await answer.text() })
  const [sender] = connection.getSenders()
  // A busy encoder leaves pictures out rather than making them smaller, which takes a keyframe.
  await sender?.setParameters({ ...sender.getParameters(), degradationPreference: 'maintain-resolution' } as RTCRtpSendParameters)
}

/** Runs in the page: asks the server, as any newcomer does, for a picture to begin with. */
async function play([url, jwt]: readonly [string, string]): Promise<void> {
  const connection = new RTCPeerConnection()
  Object.assign(window, { connection })
  connection.addTransceiver('video', { direction: 'recvonly' })
  await connection.setLocalDescription()
  const headers = { authorization: `Bearer ${jwt}`, 'content-type': 'application/sdp' }
  const answer = await fetch(url, { method: 'POST', headers, body: connection.localDescription?.sdp })
  await connection.setRemoteDescription({ type: 'answer', sdp: await answer.text() })
}

async function keyframes(page: Page): Promise<number> {
  return page.evaluate(async () => {
    const stats = [...(await (window as any).connection.getStats()).values()]
    return stats.find((entry) => entry.type === 'outbound-rtp' && entry.kind === 'video')?.keyFramesEncoded ?? 0
  })
}

/** Packets of the camera's own source, picture by picture. */
function pictures(packets: Packet[]): Packet[][] {
  const counts = new Map<number, number>()
  for (const { ssrc } of packets) counts.set(ssrc, (counts.get(ssrc) ?? 0) + 1)
  const [main] = [...counts].sort((a, b) => b[1] - a[1])[0] ?? []
  const byTime = new Map<number, Packet[]>()
  for (const packet of packets.filter((known) => known.ssrc === main)) {
    byTime.set(packet.timestamp, [...(byTime.get(packet.timestamp) ?? []), packet])
  }
  return [...byTime.values()]
}

const bytes = (picture: Packet[]) => picture.reduce((sum, packet) => sum + packet.payload, 0)

function line(picture: Packet[], next: Packet[]): string {
  const gap = (next[0]!.at - picture[0]!.at) / 1_000n
  return [gap, ...picture.map((packet) => packet.payload)].join(' ')
}

/** The pictures of a while in which the encoder made no keyframe: it makes one when it changes its mind. */
async function steady(page: Page, packets: Packet[]): Promise<Packet[][]> {
  for (let window = 0; window < WINDOWS; window++) {
    const before = await keyframes(page)
    packets.length = 0
    await page.waitForTimeout(RECORDS)
    const recorded = pictures(packets).slice(1, -1)
    if ((await keyframes(page)) === before) return recorded
  }
  throw new Error(`each of ${WINDOWS} windows had a keyframe: is the machine busy?`)
}

test.use({
  settings: { CONF_MEDIA__LISTEN: `127.0.0.1:${MEDIA_PORT + 1}`, CONF_MEDIA__ADVERTISE: `127.0.0.1:${MEDIA_PORT}` }
})

test('a camera at 1.2 Mbit/s', async ({ server }) => {
  const out = process.env.RECORD_OUT
  if (!out) throw new Error('RECORD_OUT is not set: run `cargo xtask record`')
  const packets: Packet[] = []
  const relay = new LossyRelay(MEDIA_PORT, MEDIA_PORT + 1)
  relay.heard = (datagram) => {
    const packet = read(datagram)
    if (packet) packets.push(packet)
  }
  await relay.start()
  const http = createServer((_, response) => response.setHeader('content-type', 'text/html').end('<!doctype html><title>tool</title>'))
  await new Promise<void>((resolve) => http.listen(server.port + 300, '127.0.0.1', resolve))
  const flags = FLAGS.map((flag) => flag.replace('fps=15', 'fps=30'))
  const browser = await chromium.launch({ executablePath, args: flags })
  const page = await browser.newPage()
  await page.goto(`http://127.0.0.1:${server.port + 300}/`)
  await page.evaluate(publish, [`${server.url}/whip/${server.code}`, token('camera', server.code), BITS_PER_SECOND] as const)
  await page.waitForTimeout(SETTLES)

  const recorded = await steady(page, packets)
  const before = await keyframes(page)

  packets.length = 0
  const newcomer = await browser.newPage()
  await newcomer.goto(`http://127.0.0.1:${server.port + 300}/`)
  await newcomer.evaluate(play, [`${server.url}/whep/${server.code}`, token('newcomer', server.code)] as const)
  await expect.poll(() => keyframes(page)).toBeGreaterThan(before)
  await page.waitForTimeout(500)
  const keyframe = pictures(packets).slice(0, -1).sort((a, b) => bytes(b) - bytes(a))[0]!

  const rate = Math.round((recorded.reduce((sum, picture) => sum + bytes(picture), 0) * 8) / (RECORDS / 1000) / 1000)
  const mean = (recorded.reduce((sum, picture) => sum + picture.length, 0) / recorded.length).toFixed(1)
  const spans = recorded.map((picture) => Number(picture.at(-1)!.at - picture[0]!.at) / 1e6).sort((a, b) => a - b)
  const span = (part: number) => spans[Math.floor(spans.length * part)]!.toFixed(2)
  const head = [
    '# Pictures of one camera as Chromium lets them out; played again and again by shape `browser`.',
    '# Form: gap to the next picture in µs, then bytes of RTP payload of each packet; `K` marks the keyframe.',
    `# Recorded with \`cargo xtask record\`: Chromium ${browser.version()}, its fake camera, 1280 × 720, 30 Hz, VP8, at`,
    `# most ${BITS_PER_SECOND / 1000} kbit/s, no simulcast; ${recorded.length} pictures after ${SETTLES / 1000} s, ${rate} kbit/s, ${mean} packets a picture;`,
    `# from a picture's first packet to its last ${span(0.5)} ms (median), ${span(0.9)} ms (nine of ten).`
  ]
  const body = recorded.slice(0, -1).map((picture, at) => line(picture, recorded[at + 1]!))
  writeFileSync(out, [...head, `K ${line(keyframe, keyframe).replace(/^0 /, '33333 ')}`, ...body, ''].join('\n'))
  await browser.close()
  http.close()
  relay.stop()
})
