// Words planted in a meeting: nowhere while it runs but in memory, and nowhere at all once it is over.
import { gzipSync } from 'node:zlib'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from './fixtures'
import { Owner, type Room } from './owner'
import type { Person } from './person'
import type { Server } from './server'

const CANARIES = {
  guest: 'Kanarienvogel Quitte',
  waiting: 'Wartevogel Holunder',
  chat: 'Zimtsternrezept 4711 ünïcode',
  share: 'Quartalsbericht Stachelbeere'
}

/** All that a meeting can hold of a person: a name, a name in the lobby, chat, a shared screen that says what it is. */
async function meet(server: Server, person: (name: string, looks?: object) => Promise<Person>): Promise<{ olga: Person; bird: Person; room: Room }> {
  const olga = await person('Olga Eigner')
  const owner = await Owner.first(server, olga)
  const room = await owner.room('Planung', { lobby: 'ask' })
  const bird = await person(CANARIES.guest, { tone: 1000 })
  const late = await person(CANARIES.waiting)
  await olga.page.goto(room.link)
  await olga.id('join').click()
  await expect(olga.id('connection')).toHaveAttribute('data-state', 'connected')
  for (const one of [bird, late]) {
    await one.page.goto(room.link)
    await one.id('name').fill(one.name)
    await one.id('join').click()
    await expect(one.id('waiting')).toBeVisible()
  }
  await olga.id('toggle-people').click()
  await olga.page.locator('[data-testid=waiting-person]', { hasText: CANARIES.guest }).getByTestId('admit').click()
  await expect(bird.id('connection')).toHaveAttribute('data-state', 'connected')
  await bird.id('toggle-chat').click()
  await bird.id('chat-input').fill(CANARIES.chat)
  await bird.id('chat-input').press('Enter')
  await olga.id('toggle-chat').click()
  await expect(olga.id('chat-message')).toContainText(CANARIES.chat)
  await bird.page.evaluate(async (title) => {
    document.title = title
    const [track] = (document.createElement('canvas').captureStream(1)).getVideoTracks()
    const local = (window as any).__conf.room.localParticipant
    await local.publishTrack(track, { name: title, source: 'screen_share', simulcast: false })
  }, CANARIES.share)
  await expect.poll(() => olga.page.evaluate(() => JSON.stringify([...(window as any).__conf.room.remoteParticipants.values()].flatMap((one: any) => [...one.trackPublications.values()].map((track: any) => track.trackName))))).toContain(CANARIES.share)
  return { olga, bird, room }
}

/** Where the planted words are: log, every file of the server, metrics. */
async function found(server: Server, metrics = ''): Promise<string[]> {
  return Object.entries(CANARIES).flatMap(([what, word]) => [...server.search(word), ...(metrics.includes(word) ? ['metrics'] : [])].map((place) => `${what}: ${place}`))
}

test.describe('with the most talkative log', () => {
  test.use({ settings: { CONF_LOG__LEVEL: 'trace' } })

  test('name, chat and share title are nowhere two seconds after the end, and nowhere after the stop', async ({ server, person }) => {
    const { olga, bird, room } = await meet(server, person)
    expect(await found(server, await server.metrics()), 'while it runs').toEqual([])
    await olga.id('leave').click()
    await olga.id('end-meeting').click()
    await expect(bird.id('ended')).toBeVisible()
    const ended = Date.now()
    await expect.poll(async () => found(server, await server.metrics()), { timeout: 2_000 }).toEqual([])
    console.log(`nothing found ${Date.now() - ended} ms after the end`)
    await expect.poll(() => server.metrics(), { timeout: 60_000 }).toMatch(/conf_meetings(_running)? 0\b/)
    expect(await found(server, await server.metrics()), 'once the meeting is gone').toEqual([])
    expect(server.search(room.code).filter((place) => place === 'log'), 'the code of a room is not logged').toEqual([])
    expect(await server.stop()).toBe(0)
    expect(await found(server), 'after the stop').toEqual([])
  })
})

test('a power cut in the middle of a meeting leaves nothing of it', async ({ server, person }) => {
  await meet(server, person)
  await server.kill()
  expect(await found(server)).toEqual([])
  await server.start()
  expect(await found(server, await server.metrics())).toEqual([])
})

test('the search finds a planted word in every form it may be stored in', async ({ server }) => {
  const word = CANARIES.chat
  const utf8 = Buffer.from(word)
  const forms: Record<string, Buffer | string> = {
    plain: `name=${word}`,
    utf16: Buffer.from(word, 'utf16le'),
    hex: utf8.toString('hex'),
    base64: Buffer.from(`xy${word}z`).toString('base64'),
    url: `?q=${encodeURIComponent(word)}`,
    json: JSON.stringify(word).replace(/[\u0080-\uffff]/g, (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`),
    gzip: Buffer.concat([Buffer.from('before'), gzipSync(`{"text":"${word}"}`)])
  }
  for (const [form, bytes] of Object.entries(forms)) {
    const file = join(server.folder, `planted-${form}`)
    writeFileSync(file, bytes)
    expect(server.search(word), form).toEqual([file])
    writeFileSync(file, '')
  }
})
