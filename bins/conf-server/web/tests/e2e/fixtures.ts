// What every test gets: a server of its own, people on demand, and the check at the end that no
// page asked another origin for anything and no script or policy error was seen.
import { test as base, expect, type Browser } from '@playwright/test'
import { browserWithTone, Person, type Looks } from './person'
import { Server } from './server'

interface Fixtures {
  /** Environment of the server, over the defaults. */
  settings: Record<string, string>
  server: Server
  /** Opens a page for a person; each tone has a browser of its own, shared by those who ask for it. */
  person: (name: string, looks?: Looks & { tone?: number; origin?: string }) => Promise<Person>
}

let port = 21_000

export const test = base.extend<Fixtures>({
  settings: [{}, { option: true }],
  server: async ({ settings }, use) => {
    const server = new Server(port++, settings)
    await server.start()
    await use(server)
    await server.stop()
    server.remove()
  },
  person: async ({ server }, use) => {
    const browsers = new Map<number, Browser>()
    const people: Person[] = []
    await use(async (name, looks = {}) => {
      const tone = looks.tone ?? 440
      let browser = browsers.get(tone)
      if (!browser) {
        browser = await browserWithTone(tone)
        browsers.set(tone, browser)
      }
      const person = await Person.open(browser, name, looks.origin ?? server.url, looks)
      people.push(person)
      return person
    })
    for (const browser of browsers.values()) await browser.close()
    expect(people.flatMap((person) => person.foreign), 'requests to another origin').toEqual([])
    expect(people.flatMap((person) => person.errors), 'errors in the pages').toEqual([])
  }
})

export { expect }
