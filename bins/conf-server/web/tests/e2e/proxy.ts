// A TCP relay before the server that can cut websockets by their path, as a bad network does.
import { createServer, connect, type Server as NetServer, type Socket } from 'node:net'

export class Relay {
  private readonly open = new Map<Socket, string>()
  private readonly server: NetServer

  constructor(readonly port: number, target: number) {
    this.server = createServer((client) => {
      const upstream = connect(target, '127.0.0.1')
      client.once('data', (first) => this.open.set(client, first.toString('latin1').split('\r\n', 1)[0] ?? ''))
      client.pipe(upstream)
      upstream.pipe(client)
      const end = () => {
        this.open.delete(client)
        client.destroy()
        upstream.destroy()
      }
      for (const socket of [client, upstream]) socket.on('error', end).on('close', end)
    })
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`
  }

  async start(): Promise<void> {
    await new Promise<void>((resolve) => this.server.listen(this.port, '127.0.0.1', resolve))
  }

  /** Cuts every connection whose request line holds `path`; returns how many. */
  cut(path: string): number {
    const hit = [...this.open].filter(([, line]) => line.includes(path))
    for (const [socket] of hit) socket.destroy()
    return hit.length
  }

  stop(): void {
    for (const socket of this.open.keys()) socket.destroy()
    this.server.close()
  }
}
