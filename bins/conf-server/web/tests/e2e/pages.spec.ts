// Every page and open dialog: no violation that axe finds, in both languages and themes; pictures
// at three widths for who asks for them.
import { isClean, pictures } from './axe'
import { expect, test } from './fixtures'

const sizes = [
  { width: 360, height: 740 },
  { width: 768, height: 1024 },
  { width: 1440, height: 900 }
]

for (const locale of ['en-GB', 'de-DE']) {
  for (const colorScheme of ['light', 'dark'] as const) {
    test(`pages and dialogs are clean in ${locale}, ${colorScheme}`, async ({ server, person }) => {
      const ada = await person('Ada Lovelace-Byron', { locale, colorScheme, width: 1440, height: 900 })
      await ada.page.emulateMedia({ reducedMotion: 'reduce' })
      const look = async (page: string) => {
        await isClean(ada, `${page} ${locale} ${colorScheme}`)
        await pictures(ada, `pages/${page}-${locale.slice(0, 2)}-${colorScheme}`, sizes)
      }
      expect(await (await fetch(server.url)).text()).not.toMatch(/<script(?![^>]*src)/)
      await ada.page.goto(server.url)
      await expect(ada.page.locator('h1')).toHaveCount(1)
      await look('start')
      await ada.page.goto(`${server.url}/r/does-not-exist`)
      await expect(ada.page.locator('h1')).toBeVisible()
      await look('unknown-room')
      await ada.page.goto(server.room)
      await ada.id('name').fill(ada.name)
      await ada.id('toggle-camera').click()
      await ada.id('toggle-microphone').click()
      await expect(ada.id('preview').locator('video')).toBeVisible()
      await look('prejoin')
      await ada.id('join').click()
      await expect(ada.id('connection')).toHaveAttribute('data-state', 'connected')
      await look('meeting')
      await ada.id('toggle-people').click()
      await look('people')
      await ada.id('toggle-chat').click()
      await ada.id('chat-input').fill('Hello')
      await ada.id('chat-input').press('Enter')
      await expect(ada.id('chat-message')).toBeVisible()
      await look('chat')
      await ada.page.keyboard.press('Escape')
      await ada.id('more').click()
      await look('more')
      await ada.id('open-settings').click()
      await expect(ada.id('settings')).toBeVisible()
      await look('settings')
      await ada.page.keyboard.press('Escape')
      await ada.page.keyboard.press('?')
      await expect(ada.id('help')).toBeVisible()
      await look('help')
      await ada.page.keyboard.press('Escape')
      await ada.id('leave').click()
      await expect(ada.id('end-meeting')).toBeVisible()
      await look('leave-dialog')
      await ada.id('end-meeting').click()
      await expect(ada.id('ended')).toBeVisible()
      await look('ended')
      await ada.join(server.room)
      await ada.id('leave').click()
      await ada.id('confirm').click()
      await expect(ada.id('left')).toBeVisible()
      await look('left')
      await ada.page.goto(`${server.url}/privacy`)
      await expect(ada.page.locator('h1')).toBeVisible()
      await look('privacy')
      await ada.page.goto(`${server.url}/privacy/inventory`)
      await expect(ada.page.locator('h1')).toBeVisible()
      await look('inventory')
    })
  }
}

test.describe('a meeting for one', () => {
  test.use({ settings: { CONF_LIMITS__PARTICIPANTS: '1' } })

  test('a full meeting is refused with its limit', async ({ person, server }) => {
    const ada = await person('Ada')
    const ben = await person('Ben')
    await ada.join(server.room)
    await ben.page.goto(server.room)
    await ben.id('name').fill('Ben')
    await ben.id('join').click()
    await expect(ben.page.getByText(/1/).first()).toBeVisible()
    await expect(ben.id('connection')).toHaveCount(0)
  })
})

test('everything from the link to the end works by keyboard', async ({ server, person }) => {
  const ada = await person('Ada')
  const { page } = ada
  await page.goto(server.room)
  await ada.id('name').focus()
  await page.keyboard.type('Ada')
  await page.keyboard.press('Enter')
  await expect(ada.id('connection')).toHaveAttribute('data-state', 'connected')
  await page.keyboard.press('c')
  await expect(ada.id('chat-input')).toBeFocused()
  await page.keyboard.type('m is a letter here')
  await page.keyboard.press('Enter')
  await expect(ada.id('chat-message')).toContainText('m is a letter here')
  await page.keyboard.press('Escape')
  await page.keyboard.press('m')
  await expect(ada.id('toggle-microphone')).toHaveAttribute('aria-pressed', 'true')
  await page.keyboard.press('l')
  await expect(ada.id('end-meeting')).toBeVisible()
  await page.keyboard.press('Escape')
  await expect(ada.id('end-meeting')).toBeHidden()
  for (const [button, opened] of [['leave', 'end-meeting'], ['toggle-people', 'person'], ['toggle-chat', 'chat-input']] as const) {
    await ada.id(button).focus()
    await page.keyboard.press('Enter')
    await expect(ada.id(opened)).toBeVisible()
    await page.keyboard.press('Escape')
    await expect(ada.id(opened)).toHaveCount(0)
    await expect(ada.id(button), 'gets the focus back').toBeFocused()
  }
  await page.keyboard.press('l')
  await ada.id('end-meeting').focus()
  await page.keyboard.press('Enter')
  await expect(ada.id('ended')).toBeVisible()
})
