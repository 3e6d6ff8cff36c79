import { expect, test } from './fixtures'
import { Server } from './server'

test('the server answers within a second and rests below 40 MB', async ({ server }) => {
  console.log(`ready after ${Math.round(server.readyAfter)} ms, ${(server.residentBytes / 1e6).toFixed(1)} MB resident`)
  expect(server.readyAfter).toBeLessThan(1_000)
  expect(server.residentBytes).toBeLessThan(40e6)
})

test('a stop ends the meeting with words and leaves with 0', async ({ server, person }) => {
  const ada = await person('Ada')
  await ada.join(server.room)
  expect(await server.stop()).toBe(0)
  await expect(ada.id('ended')).toBeVisible()
})

test('wrong settings are refused with key, value and range', async ({ server }) => {
  const wrong: [Record<string, string>, RegExp][] = [
    [{ CONF_LIMITS__PARTICIPANTS: '0' }, /limits\.participants.*0.*1/s],
    [{ CONF_HTTP__LISTEN: 'nowhere' }, /http\.listen.*nowhere/s],
    [{ CONF_MEDIA__SHARDS: '99' }, /media\.shards.*99/s],
    [{ CONF_COFFEE: 'yes' }, /COFFEE|coffee/]
  ]
  for (const [settings, words] of wrong) {
    const other = new Server(server.port + 700, settings)
    await expect(other.start(), JSON.stringify(settings)).rejects.toThrow(words)
    other.remove()
  }
})
