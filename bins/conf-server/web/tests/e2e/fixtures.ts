// What every test gets: a server of its own, people on demand, and the check at the end that no
// page asked another origin for anything and no script or policy error was seen.
import { test as base, expect, type Browser } from '@playwright/test'
import { browserWithTone, Person, type Looks } from './person'
import { Server } from './server'

/** A browser whose microphone hears one tone. */
type WithTone = (hertz: number) => Promise<Browser>

interface Worker {
  /** Browsers are started once for all tests; what a page keeps is in a context, and those end with their test. */
  withTone: WithTone
}

interface Fixtures {
  /** Environment of the server, over the defaults. */
  settings: Record<string, string>
  server: Server
  /** Opens a page for a person; each in a context of its own, in the browser of their tone. */
  person: (name: string, looks?: Looks & { tone?: number; origin?: string }) => Promise<Person>
}

let port = 21_000

export const test = base.extend<Fixtures, Worker>({
  withTone: [
    async ({}, use) => {
      const browsers = new Map<number, Promise<Browser>>()
      await use((hertz) => {
        const browser = browsers.get(hertz) ?? browserWithTone(hertz)
        browsers.set(hertz, browser)
        return browser
      })
      for (const browser of browsers.values()) await (await browser).close()
    },
    { scope: 'worker' }
  ],
  settings: [{}, { option: true }],
  server: async ({ settings }, use) => {
    const server = new Server(port++, settings)
    await server.start()
    await use(server)
    await server.stop()
    server.remove()
  },
  person: async ({ server, withTone }, use) => {
    const people: Person[] = []
    await use(async (name, looks = {}) => {
      const person = await Person.open(await withTone(looks.tone ?? 440), name, looks.origin ?? server.url, looks)
      people.push(person)
      return person
    })
    for (const person of people) await person.context.close()
    expect(people.flatMap((person) => person.foreign), 'requests to another origin').toEqual([])
    expect(people.flatMap((person) => person.errors), 'errors in the pages').toEqual([])
  }
})

export { expect }
