// The owner of rooms: the first administrator, made from the link that the server prints.
import { expect } from './fixtures'
import type { Person } from './person'
import type { Server } from './server'

export interface Room {
  id: string
  code: string
  link: string
}

export interface Options {
  mute_on_start?: boolean
  lobby?: 'off' | 'ask'
  start?: 'anyone' | 'owner'
}

export class Owner {
  private constructor(readonly person: Person, private readonly server: Server) {}

  /** Uses the printed link; from then on the person's browser is signed in. */
  static async first(server: Server, person: Person): Promise<Owner> {
    const token = /\/welcome#([A-Za-z0-9_-]+)/.exec(server.log)?.[1]
    expect(token, 'the link of the first administrator is printed').toBeDefined()
    const owner = new Owner(person, server)
    await owner.send('POST', '/api/v1/links/use', { token, name: person.name, email: 'owner@example.org', password: 'a long enough secret 7' })
    return owner
  }

  async room(title: string, options: Options = {}): Promise<Room> {
    return this.named(await this.send('POST', '/api/v1/me/rooms', { title, options: { mute_on_start: false, lobby: 'off', start: 'anyone', ...options } }))
  }

  async change(room: Room, changes: { title?: string; options?: Options }): Promise<void> {
    await this.send('PATCH', `/api/v1/me/rooms/${room.id}`, changes)
  }

  /** The same room under another link. */
  async newCode(room: Room): Promise<Room> {
    return this.named(await this.send('POST', `/api/v1/me/rooms/${room.id}/code`, {}))
  }

  private named(room: { id: string; code: string }): Room {
    return { id: room.id, code: room.code, link: `${this.server.url}/r/${room.code}` }
  }

  /** As the pages of the server ask: with its own origin and the cookie. */
  private async send(method: string, path: string, data: object): Promise<any> {
    const answer = await this.person.context.request.fetch(this.server.url + path, { method, data, headers: { origin: this.server.url } })
    expect(answer.ok(), `${method} ${path}: ${answer.status()} ${await answer.text()}`).toBe(true)
    return answer.status() === 204 ? undefined : answer.json()
  }
}
