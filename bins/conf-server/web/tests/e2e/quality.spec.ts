// Which size of a picture is sent, in real browsers with the unmodified client library.
import type { Page } from '@playwright/test'
import { arriving, encodings, twoEmbedders } from './embedder'
import { expect, test } from './fixtures'

/** A camera of 720p, so that three encodings are worth it. */
const publish = (page: Page, options: object) =>
  page.evaluate(async (options) => {
    const local = (window as any).room.localParticipant
    await local.setCameraEnabled(true, { resolution: { width: 1280, height: 720, frameRate: 15 } }, { backupCodec: false, ...options })
  }, options)

/** The subscriber shows the picture in some size; `undefined` hides it. */
const show = (page: Page, size: { width: number; height: number } | undefined) =>
  page.evaluate((size) => {
    for (const remote of (window as any).room.remoteParticipants.values()) {
      for (const publication of remote.trackPublications.values()) {
        if (publication.kind !== 'video') continue
        publication.setEnabled(size !== undefined)
        if (size) publication.setVideoDimensions(size)
      }
    }
  }, size)

const SMALL = { width: 320, height: 180 }
const MIDDLE = { width: 640, height: 360 }
const LARGE = { width: 1280, height: 720 }

/** Waits for a height, and says how long it took; pictures must go on after it. */
async function becomes(page: Page, height: number, what: string) {
  const since = Date.now()
  await expect.poll(async () => (await arriving(page)).height, { message: what, timeout: 20_000, intervals: [50] }).toBe(height)
  const took = Date.now() - since
  const { frames } = await arriving(page)
  await expect.poll(async () => (await arriving(page)).frames, { message: `${what} goes on`, timeout: 10_000 }).toBeGreaterThan(frames + 10)
  console.log(`${what}: ${height} lines after ${took} ms`)
}

test('the size that is shown is the size that is sent, up and down', async ({ server, withTone }) => {
  const { one, two, close } = await twoEmbedders(server, await withTone(440), { adaptiveStream: false, dynacast: false })
  await publish(one, { videoCodec: 'vp8', simulcast: true })
  await becomes(two, 720, 'at first')
  await show(two, SMALL)
  await becomes(two, 180, 'small')
  await show(two, LARGE)
  await becomes(two, 720, 'large again')
  await show(two, MIDDLE)
  await becomes(two, 360, 'middle')
  await close()
})

for (const codec of ['vp9', 'av1']) {
  test(`spatial layers of ${codec} are left out and come back`, async ({ server, withTone }) => {
    const { one, two, close } = await twoEmbedders(server, await withTone(440), { adaptiveStream: false, dynacast: false })
    await publish(one, { videoCodec: codec, scalabilityMode: 'L3T3_KEY' })
    await becomes(two, 720, `${codec} at first`)
    await show(two, SMALL)
    await becomes(two, 180, `${codec} small`)
    await show(two, LARGE)
    await becomes(two, 720, `${codec} large again`)
    await close()
  })
}

test('adaptive stream follows the element that shows the picture', async ({ server, withTone }) => {
  const { one, two, close } = await twoEmbedders(server, await withTone(440), { adaptiveStream: { pixelDensity: 1 }, dynacast: false })
  await publish(one, { videoCodec: 'vp8', simulcast: true })
  await two.waitForFunction(() => {
    const page = window as any
    const remote = page.room.remoteParticipants.get('one')
    const track = [...(remote?.trackPublications.values() ?? [])].find((it: any) => it.kind === 'video')?.track
    if (!track) return false
    track.attach(document.querySelector('video'))
    return true
  })
  const resize = (width: number, height: number) =>
    two.evaluate(([width, height]) => Object.assign(document.querySelector('video')!.style, { width: `${width}px`, height: `${height}px` }), [width, height] as const)
  await becomes(two, 720, 'a large element')
  await resize(300, 169)
  await becomes(two, 180, 'a small element')
  await resize(1280, 720)
  await becomes(two, 720, 'a large element again')
  await close()
})

test('encodings that nobody shows are switched off and come back', async ({ server, withTone }) => {
  const { one, two, close } = await twoEmbedders(server, await withTone(440), { adaptiveStream: false, dynacast: true })
  await publish(one, { videoCodec: 'vp8', simulcast: true })
  await becomes(two, 720, 'at first')
  await show(two, SMALL)
  const active = async () => (await encodings(one)).filter((it) => it.active).map((it) => it.rid)
  await expect.poll(active, { timeout: 15_000 }).toEqual(['q'])
  await becomes(two, 180, 'one encoding left')
  await show(two, undefined)
  await expect.poll(active, { timeout: 15_000 }).toEqual([])
  await show(two, LARGE)
  await expect.poll(async () => (await active()).length, { timeout: 15_000 }).toBe(3)
  await becomes(two, 720, 'all of them again')
  await close()
})

for (const codec of ['vp8', 'vp9']) {
  test(`pictures in ${codec} that are encrypted end to end pass, and only the right key shows them`, async ({ server, withTone }) => {
    const keyed = async (page: Page) =>
      page.evaluate(async () => {
        const page = window as any
        page.keys = new page.LivekitClient.ExternalE2EEKeyProvider()
        page.options = { ...page.options, e2ee: { keyProvider: page.keys, worker: new Worker('/e2ee.js') } }
        await page.keys.setKey('the right one')
      })
    const { one, two, close } = await twoEmbedders(server, await withTone(440), { adaptiveStream: false, dynacast: false }, {}, keyed)
    await publish(one, { videoCodec: codec, simulcast: true, scalabilityMode: codec === 'vp8' ? undefined : 'L3T3_KEY' })
    await becomes(two, 720, `${codec} encrypted`)
    await show(two, SMALL)
    await becomes(two, 180, `${codec} encrypted, small`)
    await two.evaluate(() => (window as any).keys.setKey('a wrong one'))
    let before = -1
    await expect
      .poll(async () => {
        const { frames } = await arriving(two)
        const more = frames - before
        before = frames
        return more
      }, { message: 'a wrong key shows nothing', timeout: 20_000, intervals: [1_000] })
      .toBe(0)
    await two.evaluate(() => (window as any).keys.setKey('the right one'))
    await becomes(two, 180, `${codec} with the right key again`)
    await close()
  })
}
