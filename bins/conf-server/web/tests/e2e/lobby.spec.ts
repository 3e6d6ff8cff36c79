// The lobby and the options of a room: waiting, letting in, turning away, beginning, starting muted, a new link.
import { isClean, pictures } from './axe'
import { expect, test } from './fixtures'
import { Owner, type Room } from './owner'
import type { Person } from './person'
import { Relay } from './proxy'
import type { Server } from './server'

const sizes = [
  { width: 360, height: 740 },
  { width: 1440, height: 900 }
]

/** Opens the link and asks to be let in. */
async function ask(guest: Person, link: string, devices: { microphone?: boolean; camera?: boolean } = {}): Promise<void> {
  await guest.page.goto(link)
  await guest.id('name').fill(guest.name)
  if (devices.microphone) await guest.id('toggle-microphone').click()
  if (devices.camera) await guest.id('toggle-camera').click()
  await guest.id('join').click()
}

/** The owner opens the meeting; the name comes from the account. */
async function begin(owner: Owner, room: Room, devices: { camera?: boolean } = {}): Promise<void> {
  const { person } = owner
  await person.page.goto(room.link)
  await expect(person.id('name')).toHaveValue(person.name)
  if (devices.camera) await person.id('toggle-camera').click()
  await person.id('join').click()
  await expect(person.id('connection')).toHaveAttribute('data-state', 'connected')
}

const waitsAs = (guest: Person, position: number) => expect(guest.id('waiting')).toHaveAttribute('data-position', String(position))
const isIn = (guest: Person) => expect(guest.id('connection')).toHaveAttribute('data-state', 'connected')
const row = (person: Person, name: string) => person.page.locator('[data-testid=waiting-person]', { hasText: name })

/** Counts what would carry media, from before the page's own code runs. */
async function countPeers(guest: Person): Promise<() => Promise<number>> {
  await guest.page.addInitScript(() => {
    const page = window as any
    page.__peers = 0
    page.RTCPeerConnection = new Proxy(RTCPeerConnection, { construct: (target, values) => (page.__peers++, Reflect.construct(target, values)) })
  })
  return () => guest.page.evaluate(() => (window as any).__peers)
}

async function ownerOf(server: Server, person: (name: string, looks?: object) => Promise<Person>, looks = {}): Promise<Owner> {
  return Owner.first(server, await person('Olga Eigner', looks))
}

test('a guest sees nothing of the meeting before being let in; another is turned away', async ({ server, person }) => {
  const owner = await ownerOf(server, person)
  const { person: olga } = owner
  const room = await owner.room('Team Zwölf', { lobby: 'ask' })
  await begin(owner, room, { camera: true })
  const ben = await person('Ben', { tone: 1000 })
  const cem = await person('Cem', { tone: 1000 })
  const peers = await countPeers(ben)
  const sockets: string[] = []
  const heard: string[] = []
  ben.page.on('websocket', (socket) => {
    sockets.push(new URL(socket.url()).pathname)
    socket.on('framereceived', ({ payload }) => heard.push(String(payload)))
  })

  await ben.page.goto(room.link)
  await expect(ben.id('lobby-on')).toBeVisible()
  await ask(ben, room.link, { camera: true })
  await waitsAs(ben, 1)
  await expect(ben.id('waiting')).toHaveAttribute('data-reason', 'lobby')
  await expect(ben.id('preview').locator('video'), 'the own picture stays').toBeVisible()
  await ask(cem, room.link)
  await waitsAs(cem, 2)
  expect(heard.join(), 'no name of the meeting').not.toContain('Olga')
  expect(await ben.page.locator('body').innerText()).not.toContain('Olga')
  expect(sockets).toEqual(['/api/meeting/ws'])
  expect(await peers(), 'no media connection').toBe(0)

  await expect(olga.id('toast').filter({ hasText: 'Ben' }).first()).toBeVisible()
  await expect(olga.id('live-polite')).toContainText('waiting in the lobby')
  await expect(olga.id('lobby-badge')).toHaveText('2')
  await olga.id('toast-act').click()
  await expect(olga.id('waiting-person')).toHaveCount(2)
  await row(olga, 'Cem').getByTestId('deny').click()
  await expect(cem.id('denied')).toBeVisible()
  await expect(olga.id('lobby-badge')).toHaveText('1')
  await row(olga, 'Ben').getByTestId('admit').click()
  await isIn(ben)
  await ben.sees(['Olga Eigner'])
  await olga.sees(['Ben'])
  await expect(olga.id('lobby-badge')).toHaveCount(0)
  await expect(olga.id('person')).toHaveCount(2)
  await cem.page.reload()
  await expect(cem.id('connection')).toHaveCount(0)
})

test('the line keeps its order over a reload and a cut, and all are let in at once', async ({ server, person }) => {
  const relay = new Relay(server.port + 500, server.port)
  await relay.start()
  const owner = await ownerOf(server, person)
  const room = await owner.room('Line', { lobby: 'ask' })
  await begin(owner, room)
  const [ben, cem, dua] = [await person('Ben'), await person('Cem', { origin: relay.url }), await person('Dua')] as const
  await ask(ben, room.link)
  await waitsAs(ben, 1)
  await ask(cem, `${relay.url}/r/${room.code}`)
  await waitsAs(cem, 2)
  await ask(dua, room.link)
  await waitsAs(dua, 3)

  await ben.page.reload()
  await waitsAs(ben, 1)
  expect(relay.cut('/api/meeting/ws')).toBe(1)
  await expect(cem.id('waiting')).toHaveAttribute('data-link', 'connected')
  await waitsAs(cem, 2)
  await waitsAs(dua, 3)
  await ben.id('leave-lobby').click()
  await expect(ben.id('lobby-left')).toBeVisible()
  await waitsAs(cem, 1)
  await waitsAs(dua, 2)
  await owner.person.id('toggle-people').click()
  await expect(owner.person.id('waiting-person')).toHaveCount(2)
  await owner.person.id('admit-all').click()
  await isIn(cem)
  await isIn(dua)
  await expect(owner.person.id('person')).toHaveCount(3)
  relay.stop()
})

test('switching the lobby off lets in who waits and who comes', async ({ server, person }) => {
  const owner = await ownerOf(server, person)
  const room = await owner.room('Open house', { lobby: 'ask' })
  await begin(owner, room)
  const ben = await person('Ben')
  const cem = await person('Cem')
  await ask(ben, room.link)
  await waitsAs(ben, 1)
  await owner.person.page.keyboard.press('p')
  await owner.person.id('lobby-toggle').focus()
  await owner.person.page.keyboard.press('Space')
  await expect(owner.person.id('lobby-toggle')).toHaveAttribute('aria-checked', 'false')
  await isIn(ben)
  await cem.join(room.link)
  await owner.person.id('lobby-toggle').click()
  const dua = await person('Dua')
  await ask(dua, room.link)
  await waitsAs(dua, 1)
  await owner.person.page.keyboard.press('Tab')
  await row(owner.person, 'Dua').getByTestId('admit').focus()
  await owner.person.page.keyboard.press('Enter')
  await isIn(dua)
  await expect(owner.person.id('lobby-toggle'), 'the keyboard is not lost with the row').toBeFocused()
})

test('a meeting that its owner begins has the guests wait until then', async ({ server, person }) => {
  const owner = await ownerOf(server, person)
  const room = await owner.room('Lecture', { start: 'owner' })
  const ben = await person('Ben')
  await ben.page.goto(room.link)
  await expect(ben.id('not-begun')).toBeVisible()
  await ask(ben, room.link)
  await expect(ben.id('waiting')).toHaveAttribute('data-reason', 'not_started')
  await ben.page.reload()
  await waitsAs(ben, 1)
  await begin(owner, room)
  await isIn(ben)
  const cem = await person('Cem')
  await cem.join(room.link)
})

test('who starts muted is silent until they want to be heard, by one click', async ({ server, person }) => {
  const owner = await ownerOf(server, person)
  const room = await owner.room('Quiet', { mute_on_start: true })
  await begin(owner, room)
  const ben = await person('Ben', { tone: 1000 })
  const cem = await person('Cem', { tone: 440 })
  await ben.page.goto(room.link)
  await expect(ben.id('starts-muted')).toBeVisible()
  await ask(ben, room.link, { microphone: true })
  await isIn(ben)
  await ask(cem, room.link)
  await isIn(cem)
  const { person: olga } = owner
  await olga.hears({ Ben: 0 })
  for (const guest of [ben, cem]) {
    await expect(guest.id('toggle-microphone')).toHaveAttribute('aria-pressed', 'false')
    await guest.id('toggle-microphone').click()
    await expect(guest.id('toggle-microphone')).toHaveAttribute('aria-pressed', 'true')
  }
  await olga.hears({ Ben: 1000, Cem: 440 })
  await expect(cem.id('toggle-microphone'), 'the server does not mute it again').toHaveAttribute('aria-pressed', 'true')
  await expect(cem.id('toast')).toHaveCount(0)
})

test('with a new link those inside stay, also over a reload, and the old one leads nowhere', async ({ server, person }) => {
  const owner = await ownerOf(server, person)
  const room = await owner.room('Moving')
  await begin(owner, room)
  const ben = await person('Ben')
  await ben.join(room.link)
  const moved = await owner.newCode(room)
  expect(moved.code).not.toBe(room.code)
  await ben.page.reload()
  await isIn(ben)
  await owner.person.page.reload()
  await isIn(owner.person)
  const cem = await person('Cem')
  await cem.page.goto(room.link)
  await expect(cem.id('missing')).toBeVisible()
  await cem.join(moved.link)
  await cem.id('toggle-people').click()
  await expect(cem.id('person')).toHaveCount(3)
})

for (const locale of ['en-GB', 'de-DE']) {
  test(`what belongs to the lobby is clean in ${locale}`, async ({ server, person }) => {
    test.setTimeout(240_000) // eight states, each in two looks
    const owner = await ownerOf(server, person, { locale, width: 1440, height: 900 })
    const room = await owner.room('Wochenplanung', { lobby: 'ask', start: 'owner', mute_on_start: true })
    const ben = await person('Ben Benedikt', { locale, width: 1440, height: 900 })
    const cem = await person('Cem', { locale })
    const look = async (one: Person, state: string) => {
      await one.page.emulateMedia({ reducedMotion: 'reduce' })
      for (const colorScheme of ['light', 'dark'] as const) {
        await one.page.emulateMedia({ colorScheme })
        await isClean(one, `${state} ${colorScheme}`)
        await pictures(one, `lobby/${state}-${locale.slice(0, 2)}-${colorScheme}`, sizes)
      }
    }
    await ben.page.goto(room.link)
    await expect(ben.id('not-begun')).toBeVisible()
    await look(ben, 'prejoin')
    await ask(ben, room.link, { camera: true })
    await waitsAs(ben, 1)
    await look(ben, 'not-started')
    await owner.person.page.goto(room.link)
    await expect(owner.person.id('lobby-on')).toBeVisible()
    await look(owner.person, 'prejoin-owner')
    await begin(owner, room, { camera: true })
    await expect(ben.id('waiting')).toHaveAttribute('data-reason', 'lobby')
    await look(ben, 'waiting')
    await ask(cem, room.link)
    await waitsAs(cem, 2)
    await expect(owner.person.id('toast-act')).toBeVisible()
    await look(owner.person, 'knock')
    await owner.person.id('toggle-people').click()
    await expect(owner.person.id('waiting-list')).toBeVisible()
    await expect(owner.person.id('toast-act')).toHaveCount(0)
    await look(owner.person, 'people')
    await row(owner.person, 'Cem').getByTestId('deny').click()
    await expect(cem.id('denied')).toBeVisible()
    await look(cem, 'denied')
    await ben.id('leave-lobby').click()
    await expect(ben.id('lobby-left')).toBeVisible()
    await look(ben, 'lobby-left')
  })
}
