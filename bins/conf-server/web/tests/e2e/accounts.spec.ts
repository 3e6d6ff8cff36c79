// Accounts in real browsers: from the printed link to a replayed cookie; what stays in the browser
// meanwhile; every page and dialog for axe and for the keyboard.
import { isClean, pictures } from './axe'
import { expect, test } from './fixtures'
import type { Person } from './person'

const ADA = { name: 'Ada Lovelace', email: 'ada@example.org', password: 'a quiet green teapot' }
const BEN = { name: 'Ben Okafor', email: 'ben@example.org', password: 'seven slow river boats' }
const NEWER = 'eight fast river boats'

test('an account lives from the printed link to the sign-out', async ({ server, person }) => {
  test.setTimeout(180_000)
  const ada = await person('Ada')
  await ada.page.goto(server.url)
  await expect(ada.id('to-sign-in')).toBeVisible()
  await keepsNothing(ada)

  await test.step('the printed link makes the first administrator, once', async () => {
    await ada.page.goto(server.firstLink)
    await ada.id('welcome-name').fill(ADA.name)
    expect(ada.page.url()).toBe(`${server.url}/welcome`)
    await ada.id('welcome-email').fill(ADA.email)
    await ada.id('welcome-password').fill(ADA.password)
    await ada.id('welcome-done').click()
    await expect(ada.id('room')).toHaveCount(1)
    await expect(ada.id('room')).toContainText('Ada Lovelace’s room')
    const cookies = await ada.context.cookies()
    expect(cookies.map(({ name, httpOnly, sameSite, path }) => ({ name, httpOnly, sameSite, path }))).toEqual([
      { name: 'sid', httpOnly: true, sameSite: 'Lax', path: '/' }
    ])
    const late = await person('Late')
    await late.page.goto(server.firstLink)
    await expect(late.id('link-unknown')).toBeVisible()
    await keepsNothing(late)
  })

  let invitation = ''
  await test.step('she invites a member', async () => {
    await ada.page.goto(`${server.url}/admin/accounts`)
    await ada.id('account-new').click()
    await ada.id('account-name').fill(BEN.name)
    await ada.id('account-email').fill(ADA.email)
    await ada.id('account-save').click()
    await expect(ada.page.getByText('already an account')).toBeVisible()
    await expect(ada.id('account-email')).toBeFocused()
    await ada.id('account-email').fill(BEN.email)
    await ada.id('account-save').click()
    invitation = await ada.id('account-link').inputValue()
    expect(invitation).toMatch(/\/welcome#[\w-]{43}$/)
    await ada.id('account-done').click()
    await expect(ada.id('account')).toHaveCount(2)
    await expect(ada.id('account').filter({ hasText: BEN.email })).toContainText('Invited')
  })

  const ben = await person('Ben')
  await ben.context.grantPermissions(['clipboard-read', 'clipboard-write'])
  await test.step('the member chooses a password and has a room', async () => {
    await ben.page.goto(invitation)
    await expect(ben.id('welcome-name')).toHaveValue(BEN.name)
    await ben.id('welcome-password').fill(BEN.name)
    await ben.id('welcome-done').click()
    await expect(ben.id('welcome-password')).toBeFocused()
    await ben.id('welcome-password').fill(BEN.password)
    await ben.id('welcome-done').click()
    await expect(ben.id('room')).toHaveCount(1)
    await ben.page.goto(`${server.url}/admin/accounts`)
    await expect(ben.id('forbidden')).toBeVisible()
  })

  await test.step('rooms are made, named, set up, and their links copied', async () => {
    await ben.page.goto(server.url)
    await ben.id('room-new').click()
    await ben.id('room-title').fill('Choir')
    await ben.id('option-lobby').check()
    await ben.id('room-save').click()
    const choir = ben.id('room').filter({ hasText: 'Choir' })
    await expect(choir).toContainText('Lobby')
    await choir.getByTestId('room-options').click()
    await ben.id('room-title').fill('Choir of the mountains')
    await ben.id('option-start').check()
    await ben.id('option-lobby').uncheck()
    await ben.id('room-save').click()
    await ben.page.reload()
    const renamed = ben.id('room').filter({ hasText: 'Choir of the mountains' })
    await expect(renamed).toContainText('Begins with you')
    await expect(renamed).not.toContainText('Lobby')
    await renamed.getByTestId('room-copy').click()
    await expect(renamed.getByTestId('room-copy')).toHaveAttribute('data-state', 'copied')
  })

  const guest = await person('Guest')
  await test.step('a new link makes the old one dead, and a deleted room both', async () => {
    const before = await ben.page.evaluate(() => navigator.clipboard.readText())
    await opens(guest, before, true)
    await ben.id('room').filter({ hasText: 'Choir' }).getByTestId('room-options').click()
    await ben.id('room-code').click()
    await ben.id('confirm').click()
    await expect(ben.id('confirm')).toHaveCount(0)
    const after = await ben.id('room-link').inputValue()
    expect(after).not.toBe(before)
    await opens(guest, before, false)
    await opens(guest, after, true)
    await ben.id('room-delete').click()
    await ben.id('confirm').click()
    await expect(ben.id('room')).toHaveCount(1)
    await expect(ben.page.locator('h1')).toBeFocused()
    await opens(guest, after, false)
  })

  const elsewhere = await person('Ben elsewhere')
  await test.step('a new password ends the session in the other browser', async () => {
    await signIn(elsewhere, server.url, { ...BEN, password: 'not this one, no' })
    await expect(elsewhere.page.getByRole('alert')).toContainText('not right')
    await signIn(elsewhere, server.url, BEN)
    await expect(elsewhere.id('room')).toHaveCount(1)
    await ben.page.goto(`${server.url}/account`)
    await ben.id('password-current').fill('something else here')
    await ben.id('password-new').fill(NEWER)
    await ben.id('password-save').click()
    await expect(ben.id('password-current')).toBeFocused()
    await ben.id('password-current').fill(BEN.password)
    await ben.id('password-save').click()
    await expect(ben.page.getByText('Password changed')).toBeVisible()
    await elsewhere.id('room-new').click()
    await elsewhere.id('room-title').fill('Too late')
    await elsewhere.id('room-save').click()
    await expect(elsewhere.id('sign-in')).toBeVisible()
    await elsewhere.id('sign-in-email').fill(BEN.email)
    await elsewhere.id('sign-in-password').fill(NEWER)
    await elsewhere.id('sign-in').click()
    await expect(elsewhere.id('room')).toHaveCount(1)
    await ben.page.reload()
    await expect(ben.id('me-email')).toHaveText(BEN.email)
  })

  await test.step('after the sign-out nothing is left, and the old cookie is refused', async () => {
    const cookies = await ben.context.cookies()
    await ben.id('account-menu').click()
    await ben.id('sign-out').click()
    await expect(ben.id('to-sign-in')).toBeVisible()
    await keepsNothing(ben)
    await ben.context.addCookies(cookies)
    await ben.page.goto(server.url)
    await expect(ben.id('to-sign-in')).toBeVisible()
    const replay = { headers: { cookie: `sid=${cookies[0]?.value}` } }
    expect((await fetch(`${server.url}/api/v1/me/rooms`, replay)).status).toBe(401)
    expect(await (await fetch(`${server.url}/api/v1/session`, replay)).json()).toEqual({ account: null })
  })

  await test.step('with the account go its rooms and its sessions', async () => {
    await ada.page.reload()
    await ada.id('account').filter({ hasText: BEN.email }).getByTestId('account-more').click()
    await ada.id('account-delete').click()
    await ada.id('confirm').click()
    await expect(ada.id('account')).toHaveCount(1)
    await elsewhere.page.reload()
    await expect(elsewhere.id('to-sign-in')).toBeVisible()
  })
})

test('a host signs in and is in the meeting as moderator; a guest needs no cookie', async ({ server, person }) => {
  const ada = await begin(await person(ADA.name), server.firstLink)
  const guest = await person('Guest')
  const link = new URL(await ada.id('room-start').getAttribute('href').then(String), server.url).href
  await ada.id('room-start').click()
  await expect(ada.id('name')).toHaveValue(ADA.name)
  await ada.id('join').click()
  await expect(ada.id('connection')).toHaveAttribute('data-state', 'connected')
  await guest.join(link)
  expect(await guest.context.cookies()).toEqual([])
  await ada.id('leave').click()
  await expect(ada.id('end-meeting')).toBeVisible()
  await ada.id('end-meeting').click()
  await expect(guest.id('ended')).toBeVisible()
})

test('everything with an account works by keyboard', async ({ server, person }) => {
  const ada = await begin(await person(ADA.name), server.firstLink)
  const { page } = ada
  await ada.id('account-menu').focus()
  await page.keyboard.press('Enter')
  await expect(page.getByRole('menuitem').first()).toBeFocused()
  await page.keyboard.press('End')
  await expect(ada.id('sign-out')).toBeFocused()
  await page.keyboard.press('Enter')
  await ada.id('to-sign-in').focus()
  await page.keyboard.press('Enter')
  await expect(ada.id('sign-in-email')).toBeFocused()
  await page.keyboard.type(ADA.email)
  await page.keyboard.press('Tab')
  await page.keyboard.type(ADA.password)
  await page.keyboard.press('Enter')
  await expect(ada.id('rooms')).toBeVisible()
  await expect(page.locator('main')).toBeFocused()
  await ada.id('room-new').focus()
  await page.keyboard.press('Enter')
  await expect(ada.id('room-title')).toBeFocused()
  await page.keyboard.press('Escape')
  await expect(ada.id('room-new')).toBeFocused()
  await page.keyboard.press('Enter')
  await page.keyboard.type('By keys')
  await page.keyboard.press('Tab')
  await expect(ada.id('option-lobby')).toBeFocused()
  await page.keyboard.press('Space')
  await expect(ada.id('option-lobby')).toBeChecked()
  await page.keyboard.press('Enter')
  await expect(ada.id('room')).toHaveCount(2)
  await expect(ada.id('room-new')).toBeFocused()
  await ada.id('room-options').first().focus()
  await page.keyboard.press('Enter')
  await ada.id('room-delete').focus()
  await page.keyboard.press('Enter')
  await expect(ada.id('confirm')).toBeVisible()
  await page.keyboard.press('Escape')
  await expect(ada.id('confirm')).toHaveCount(0)
  await expect(ada.id('room-delete')).toBeFocused()
  await page.keyboard.press('Escape')
  await expect(ada.id('room-options').first()).toBeFocused()
})

for (const locale of ['en-GB', 'de-DE']) {
  for (const colorScheme of ['light', 'dark'] as const) {
    test(`pages and dialogs of the portal are clean in ${locale}, ${colorScheme}`, async ({ server, person }) => {
      test.setTimeout(180_000)
      const ada = await person(ADA.name, { locale, colorScheme, width: 1440, height: 900 })
      const { page } = ada
      await page.emulateMedia({ reducedMotion: 'reduce' })
      const look = async (name: string) => {
        await isClean(ada, `${name} ${locale} ${colorScheme}`)
        for (const width of [320, 768, 1440]) {
          await page.setViewportSize({ width, height: 900 })
          expect.soft(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `${name} fits ${width}`).toBe(true)
          await pictures(ada, `accounts/${name}-${locale.slice(0, 2)}-${colorScheme}`, [{ width, height: 900 }])
        }
      }
      const escape = async () => page.keyboard.press('Escape')
      await page.goto(server.firstLink)
      await expect(ada.id('welcome-name')).toBeFocused()
      await look('welcome')
      await ada.id('welcome-done').click()
      await look('welcome-wrong')
      await begin(ada, server.firstLink)
      await look('rooms')
      await ada.id('account-menu').click()
      await look('menu')
      await escape()
      await ada.id('room-new').click()
      await look('room-new')
      await escape()
      await ada.id('room-options').click()
      await look('room-options')
      for (const asks of ['room-code', 'room-delete']) {
        await ada.id(asks).click()
        await expect(ada.id('confirm')).toBeVisible()
        await look(asks)
        await escape()
      }
      await ada.id('room-delete').click()
      await ada.id('confirm').click()
      await expect(ada.id('room')).toHaveCount(0)
      await look('rooms-empty')
      await page.goto(`${server.url}/account`)
      await expect(ada.id('me-email')).toBeVisible()
      await look('account')
      await page.goto(`${server.url}/admin/accounts`)
      await expect(ada.id('account')).toHaveCount(1)
      await look('accounts')
      await ada.id('account-new').click()
      await ada.id('account-save').click()
      await look('account-new')
      await ada.id('account-name').fill(BEN.name)
      await ada.id('account-email').fill(BEN.email)
      await ada.id('account-save').click()
      await expect(ada.id('account-link')).toBeVisible()
      await look('account-link')
      const invitation = await ada.id('account-link').inputValue()
      await ada.id('account-done').click()
      const ben = ada.id('account').filter({ hasText: BEN.email })
      await ben.getByTestId('account-more').click()
      await look('account-menu')
      for (const opened of ['account-edit', 'account-reset', 'account-delete']) {
        if (!(await ada.id(opened).isVisible())) await ben.getByTestId('account-more').click()
        await ada.id(opened).click()
        await expect(page.locator('dialog')).toBeVisible()
        await look(opened)
        await escape()
      }
      await page.goto(invitation)
      await expect(ada.id('welcome-password')).toBeVisible()
      await look('invitation')
      await page.goto(`${server.url}/welcome#nothing`)
      await expect(ada.id('link-unknown')).toBeVisible()
      await look('link-unknown')
      await page.goto(server.url)
      await ada.id('account-menu').click()
      await ada.id('sign-out').click()
      await expect(ada.id('to-sign-in')).toBeVisible()
      await look('start')
      await ada.id('to-sign-in').click()
      await look('sign-in')
    })
  }
}

/** The first administrator, with a first room. */
async function begin(person: Person, link: string): Promise<Person> {
  await person.page.goto(link)
  await person.id('welcome-name').fill(ADA.name)
  await person.id('welcome-email').fill(ADA.email)
  await person.id('welcome-password').fill(ADA.password)
  await person.id('welcome-done').click()
  await expect(person.id('room')).toHaveCount(1)
  return person
}

async function signIn(person: Person, url: string, { email, password }: { email: string; password: string }): Promise<void> {
  await person.page.goto(`${url}/sign-in`)
  await person.id('sign-in-email').fill(email)
  await person.id('sign-in-password').fill(password)
  await person.id('sign-in').click()
}

/** Whether a room's link leads to a room. */
async function opens(person: Person, link: string, leads: boolean): Promise<void> {
  await person.page.goto(link)
  await expect(person.id(leads ? 'join' : 'missing')).toBeVisible()
}

/** No cookie, and in the storages only what is declared for everybody. */
async function keepsNothing(person: Person): Promise<void> {
  expect(await person.context.cookies()).toEqual([])
  const kept = await person.page.evaluate(async () => ({
    keys: [...Object.keys(localStorage), ...Object.keys(sessionStorage)],
    databases: (await indexedDB.databases()).length,
    caches: (await caches.keys()).length
  }))
  const declared = ['conf.preferences', 'conf.name']
  expect(kept.keys.filter((key) => !declared.includes(key))).toEqual([])
  expect([kept.databases, kept.caches]).toEqual([0, 0])
}
