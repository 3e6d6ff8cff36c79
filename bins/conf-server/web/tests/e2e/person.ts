// A person in a real browser: Chromium with a fake camera and a tone as microphone.
import { chromium, expect, type Browser, type BrowserContext, type Page } from '@playwright/test'
import { execFileSync } from 'node:child_process'
import { toneFile } from './tone'

export const executablePath = execFileSync('sh', ['-c', 'command -v chromium']).toString().trim()

export const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--use-fake-ui-for-media-stream',
  '--use-fake-device-for-media-stream=fps=15',
  '--autoplay-policy=no-user-gesture-required',
  '--disable-features=WebRtcHideLocalIpsWithMdns',
  '--allow-loopback-in-peer-connection'
]

/** How long to wait between two looks at pictures or sound, ms. */
export const OFTEN = [250]

export interface Looks {
  locale?: string
  colorScheme?: 'light' | 'dark'
  width?: number
  height?: number
}

/** A browser of its own, whose microphone hears one tone. */
export async function browserWithTone(hertz: number): Promise<Browser> {
  return chromium.launch({ executablePath, args: [...FLAGS, `--use-file-for-fake-audio-capture=${toneFile(hertz)}`] })
}

/** Runs in the page: frames decoded of each remote picture, by participant and source. */
export async function decoded(): Promise<Record<string, number>> {
  const frames: Record<string, number> = {}
  for (const participant of (window as any).__conf.room.remoteParticipants.values()) {
    for (const publication of participant.trackPublications.values()) {
      const receiver = publication.track?.receiver
      if (publication.kind !== 'video' || !receiver) continue
      const stats = await receiver.getStats()
      stats.forEach((entry: any) => {
        if (entry.type === 'inbound-rtp') frames[`${participant.name}/${publication.source}`] = entry.framesDecoded ?? 0
      })
    }
  }
  return frames
}

/** Runs in the page: starts to watch the longest time without a new packet of a remote camera, ms. */
export function watchPackets(): void {
  const page = window as any
  clearInterval(page.__watch)
  page.__pause = { longest: 0, last: performance.now(), packets: 0 }
  page.__watch = setInterval(async () => {
    for (const participant of page.__conf.room.remoteParticipants.values()) {
      for (const publication of participant.trackPublications.values()) {
        if (publication.kind !== 'video' || !publication.track?.receiver) continue
        const stats = await publication.track.receiver.getStats()
        stats.forEach((entry: any) => {
          if (entry.type !== 'inbound-rtp') return
          const now = performance.now()
          if (entry.packetsReceived > page.__pause.packets) Object.assign(page.__pause, { last: now, packets: entry.packetsReceived })
          page.__pause.longest = Math.max(page.__pause.longest, now - page.__pause.last)
        })
      }
    }
  }, 50)
}

/** Runs in the page: kind and transport of the pair that media takes, as `relay/udp` or `host/tcp`. */
export async function path(): Promise<string> {
  for (const participant of (window as any).__conf.room.remoteParticipants.values()) {
    for (const publication of participant.trackPublications.values()) {
      const stats = await publication.track?.receiver?.getStats()
      if (!stats) continue
      const all = [...stats.values()] as any[]
      const chosen = all.find((it) => it.type === 'transport')?.selectedCandidatePairId
      const pair = chosen ? stats.get(chosen) : all.find((it) => it.type === 'candidate-pair' && it.selected)
      const local = pair && stats.get(pair.localCandidateId)
      const remote = pair && stats.get(pair.remoteCandidateId)
      if (local) return `${local.candidateType}/${local.candidateType === 'relay' ? local.relayProtocol : remote?.protocol}`
    }
  }
  return ''
}

/** Runs in the page before its scripts: media may go over a relay only. */
export function relayOnly(): void {
  const Plain = window.RTCPeerConnection
  window.RTCPeerConnection = class extends Plain {
    constructor(config?: RTCConfiguration) {
      super({ ...config, iceTransportPolicy: 'relay' })
    }
    override setConfiguration(config: RTCConfiguration): void {
      super.setConfiguration({ ...config, iceTransportPolicy: 'relay' })
    }
  }
}

/** Runs in the page: the energy of all sound that came from each remote microphone so far. */
export async function energies(): Promise<Record<string, number>> {
  const sums: Record<string, number> = {}
  for (const participant of (window as any).__conf.room.remoteParticipants.values()) {
    for (const publication of participant.trackPublications.values()) {
      if (publication.source !== 'microphone') continue
      const stats = await publication.track?.receiver?.getStats()
      stats?.forEach((entry: any) => {
        if (entry.type === 'inbound-rtp') sums[participant.name] = entry.totalAudioEnergy ?? 0
      })
    }
  }
  return sums
}

/** Runs in the page: the strongest frequency of each remote microphone; 0 where it is silent. */
export async function heard(): Promise<Record<string, number>> {
  const page = window as any
  page.__ears ??= { context: new AudioContext(), nodes: new Map() }
  const { context, nodes } = page.__ears
  const heard: Record<string, number> = {}
  for (const participant of page.__conf.room.remoteParticipants.values()) {
    for (const publication of participant.trackPublications.values()) {
      const track = publication.track?.mediaStreamTrack
      if (publication.source !== 'microphone' || !track) continue
      if (!nodes.has(track.id)) {
        const analyser = context.createAnalyser()
        analyser.fftSize = 8192
        analyser.smoothingTimeConstant = 0 // what is heard now, not what was: each reading would fade the last by 2 dB only
        context.createMediaStreamSource(new MediaStream([track])).connect(analyser)
        nodes.set(track.id, analyser)
        await new Promise((resolve) => setTimeout(resolve, 400))
      }
      const analyser = nodes.get(track.id)
      const levels = new Float32Array(analyser.frequencyBinCount)
      analyser.getFloatFrequencyData(levels)
      const loudest = Math.max(...levels)
      const hertz = (levels.indexOf(loudest) * context.sampleRate) / analyser.fftSize
      heard[participant.name] = loudest > -70 ? hertz : 0
    }
  }
  return heard
}

/** Runs in the page: the SRTP profile of the connection, as the browser names it. */
export async function cipher(): Promise<string> {
  for (const participant of (window as any).__conf.room.remoteParticipants.values()) {
    for (const publication of participant.trackPublications.values()) {
      let cipher = ''
      const stats = await publication.track?.receiver?.getStats()
      stats?.forEach((entry: any) => {
        if (entry.type === 'transport') cipher = entry.srtpCipher ?? ''
      })
      if (cipher) return cipher
    }
  }
  return ''
}

export class Person {
  /** Requests to another origin and errors of the console: both must stay empty. */
  readonly foreign: string[] = []
  readonly errors: string[] = []

  private constructor(readonly name: string, readonly context: BrowserContext, readonly page: Page) {}

  static async open(browser: Browser, name: string, origin: string, looks: Looks = {}): Promise<Person> {
    const context = await browser.newContext({
      locale: looks.locale ?? 'en-GB',
      colorScheme: looks.colorScheme ?? 'light',
      viewport: { width: looks.width ?? 1280, height: looks.height ?? 800 }
    })
    const page = await context.newPage()
    const person = new Person(name, context, page)
    const host = new URL(origin).host
    context.on('request', (request) => {
      const url = new URL(request.url())
      if (!['blob:', 'data:'].includes(url.protocol) && url.host !== host) person.foreign.push(request.url())
    })
    page.on('websocket', (socket) => {
      if (new URL(socket.url()).host !== host) person.foreign.push(socket.url())
    })
    page.on('pageerror', (error) => person.errors.push(String(error)))
    page.on('console', (message) => {
      const text = message.text()
      if (message.type() === 'error' && /Content Security Policy|Uncaught/.test(text)) person.errors.push(text)
    })
    return person
  }

  id(testId: string) {
    return this.page.getByTestId(testId)
  }

  async join(link: string, devices: { microphone?: boolean; camera?: boolean } = {}): Promise<void> {
    await this.page.goto(link)
    await this.id('name').fill(this.name)
    if (devices.microphone) await this.id('toggle-microphone').click()
    if (devices.camera) await this.id('toggle-camera').click()
    await this.id('join').click()
    await expect(this.id('connection')).toHaveAttribute('data-state', 'connected')
  }

  /** Frames decoded of each remote picture, by participant and source. */
  async framesDecoded(): Promise<Record<string, number>> {
    return this.page.evaluate(decoded)
  }

  /** The strongest frequency of each remote microphone, Hz; 0 where it is silent. */
  async tonesHeard(): Promise<Record<string, number>> {
    return this.page.evaluate(heard)
  }

  /** SRTP profile of the connection, as the browser names it. */
  async srtpCipher(): Promise<string> {
    return this.page.evaluate(cipher)
  }

  /** Waits until pictures of all these people decode, and more of them a moment later. */
  async sees(names: string[], source = 'camera', within = 30_000): Promise<void> {
    const keys = names.map((name) => `${name}/${source}`)
    const first: Record<string, number> = {}
    await expect
      .poll(async () => {
        const frames = await this.framesDecoded()
        const now = (key: string) => frames[key] ?? 0
        for (const key of keys) if (now(key) > 0) first[key] ??= now(key)
        return keys.filter((key) => !(now(key) > (first[key] ?? Infinity) + 5))
      }, { message: `${this.name} sees ${names.join(', ')}`, timeout: within, intervals: OFTEN })
      .toEqual([])
  }

  /** Waits until the tone of each of these people is what is heard of them. */
  async hears(tones: Record<string, number>): Promise<void> {
    await expect
      .poll(async () => {
        const heard = await this.tonesHeard()
        return Object.entries(tones).filter(([name, hertz]) => Math.abs((heard[name] ?? 0) - hertz) > hertz * 0.04)
      }, { message: `${this.name} hears ${JSON.stringify(tones)}`, timeout: 30_000, intervals: OFTEN })
      .toEqual([])
  }
}
