// An unmodified livekit-client on a page of another origin, with a token of the operator's API key.
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { Browser, Page } from '@playwright/test'
import { type Server } from './server'
import { token } from './token'

const dist = (name: string) => readFileSync(new URL(`../../node_modules/livekit-client/dist/${name}`, import.meta.url))
const files: Record<string, [type: string, body: Buffer | string]> = {
  '/': ['text/html', '<!doctype html><title>embedder</title><script src="/livekit.js"></script><video autoplay muted playsinline style="width:1280px;height:720px"></video>'],
  '/livekit.js': ['text/javascript', dist('livekit-client.umd.js')],
  '/e2ee.js': ['text/javascript', dist('livekit-client.e2ee.worker.js')]
}

/** A server of another origin that has nothing but the client library. */
async function foreignPages(port: number) {
  const http = createServer((request, response) => {
    const [type, body] = files[request.url ?? ''] ?? ['text/plain', 'nothing here']
    response.setHeader('content-type', type)
    response.end(body)
  })
  await new Promise<void>((resolve) => http.listen(port, '127.0.0.1', resolve))
  return http
}

export interface Embedders {
  one: Page
  two: Page
  close: () => Promise<void>
}

/** Two people in the open room, each on a page of another origin with the client library only. */
export async function twoEmbedders(server: Server, browser: Browser, options: object, rights: Record<string, object> = {}, prepare?: (page: Page) => Promise<unknown>): Promise<Embedders> {
  const port = server.port + 300
  const http = await foreignPages(port)
  const enter = async (identity: string) => {
    const page = await browser.newPage() // in a context of its own
    await page.goto(`http://127.0.0.1:${port}/`)
    await page.evaluate((options) => ((window as any).options = options), options)
    await prepare?.(page)
    await page.evaluate(async ([url, jwt]) => {
      const page = window as any
      page.room = new page.LivekitClient.Room(page.options)
      if (page.options.e2ee) await page.room.setE2EEEnabled(true)
      await page.room.connect(url, jwt)
    }, [server.url.replace('http', 'ws'), token(identity, server.code, { video: { roomJoin: true, room: server.code, ...rights[identity] } })] as const)
    return page
  }
  const [one, two] = [await enter('one'), await enter('two')]
  const close = async () => {
    for (const page of [one, two]) await page.close()
    http.close()
  }
  return { one, two, close }
}

/** What arrives of the only picture of the other one: size, and frames decoded so far. */
export async function arriving(page: Page): Promise<{ height: number; frames: number }> {
  return page.evaluate(async () => {
    const found = { height: 0, frames: 0 }
    for (const remote of (window as any).room.remoteParticipants.values()) {
      for (const publication of remote.trackPublications.values()) {
        if (publication.kind !== 'video') continue
        const stats = await publication.track?.receiver?.getStats()
        stats?.forEach((entry: any) => {
          if (entry.type === 'inbound-rtp') Object.assign(found, { height: entry.frameHeight ?? 0, frames: entry.framesDecoded ?? 0 })
        })
      }
    }
    return found
  })
}

/** The encodings that are sent of one's own picture: height and whether frames go out. */
export async function encodings(page: Page): Promise<{ rid: string; active: boolean; frames: number; height: number }[]> {
  return page.evaluate(async () => {
    const list: any[] = []
    for (const publication of (window as any).room.localParticipant.trackPublications.values()) {
      if (publication.kind !== 'video') continue
      const stats = await publication.track.sender.getStats()
      stats.forEach((entry: any) => {
        if (entry.type === 'outbound-rtp') list.push({ rid: entry.rid ?? '', active: entry.active, frames: entry.framesEncoded ?? 0, height: entry.frameHeight ?? 0 })
      })
    }
    return list.sort((a, b) => a.height - b.height)
  })
}
