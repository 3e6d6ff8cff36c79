// A UDP relay before the media port that loses datagrams, as a bad network does, or changes the address
// that the server sees, as a NAT does that forgets. Seeded: the same losses in every run.
import { createSocket, type Socket } from 'node:dgram'

export class LossyRelay {
  /** Part of the datagrams that is lost in each direction, 0 to 1. */
  loss = 0
  lost = 0
  /** Called with each datagram of a browser. */
  heard: (datagram: Buffer) => void = () => {}
  private readonly front = createSocket('udp4')
  private readonly backs = new Map<number, Socket>()
  /** Ports of browsers whose network is gone. */
  private readonly gone = new Set<number>()
  private state = 0x5eed

  constructor(readonly port: number, private readonly target: number) {}

  async start(): Promise<void> {
    this.front.on('message', (datagram, from) => {
      this.heard(datagram)
      if (!this.gone.has(from.port) && !this.loses()) this.back(from.port).send(datagram, this.target, '127.0.0.1')
    })
    await new Promise<void>((resolve) => this.front.bind(this.port, '127.0.0.1', resolve))
  }

  stop(): void {
    this.front.close()
    this.forget()
  }

  /** From now on everybody comes from another port; what is sent to the old ones is lost. */
  rebind(): number {
    const count = this.backs.size
    this.forget()
    return count
  }

  /** The network of everybody who is there is gone; what browsers send from new ports goes through. */
  cutOff(): void {
    for (const port of this.backs.keys()) this.gone.add(port)
    this.forget()
  }

  private forget(): void {
    for (const socket of this.backs.values()) socket.close()
    this.backs.clear()
  }

  /** The socket that stands for one browser's port towards the server. */
  private back(client: number): Socket {
    let socket = this.backs.get(client)
    if (!socket) {
      socket = createSocket('udp4')
      socket.on('message', (datagram) => {
        if (!this.loses()) this.front.send(datagram, client, '127.0.0.1')
      })
      socket.bind(0, '127.0.0.1')
      this.backs.set(client, socket)
    }
    return socket
  }

  private loses(): boolean {
    this.state = (Math.imul(this.state, 1_103_515_245) + 12_345) >>> 0
    const lost = this.state / 2 ** 32 < this.loss
    if (lost) this.lost++
    return lost
  }
}
