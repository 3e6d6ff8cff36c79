// Debian's coturn on loopback, with credentials that end.
import { spawn, type ChildProcess } from 'node:child_process'
import { connect } from 'node:net'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export class Coturn {
  private readonly folder = mkdtempSync(join(tmpdir(), 'conf-coturn-'))
  private log = ''
  private child?: ChildProcess

  constructor(readonly port: number, private readonly secret: string) {}

  async start(): Promise<void> {
    const address = ['--listening-ip=127.0.0.1', '--relay-ip=127.0.0.1', `--listening-port=${this.port}`]
    const ports = ['--min-port=27000', '--max-port=27999']
    const rights = ['--use-auth-secret', `--static-auth-secret=${this.secret}`, '--realm=conf.test', '--allow-loopback-peers']
    const quiet = ['-n', '--no-cli', '--no-tls', '--no-dtls', '--log-file=stdout', `--pidfile=${join(this.folder, 'pid')}`, `--db=${join(this.folder, 'db')}`]
    this.child = spawn('turnserver', [...address, ...ports, ...rights, ...quiet], { cwd: this.folder })
    const keep = (chunk: Buffer) => (this.log += chunk.toString())
    this.child.stdout?.on('data', keep)
    this.child.stderr?.on('data', keep)
    const end = Date.now() + 10_000
    while (!(await this.listens())) {
      if (Date.now() > end || this.child.exitCode !== null) throw new Error(`coturn does not start:\n${this.log}`)
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }

  private listens(): Promise<boolean> {
    return new Promise((resolve) => {
      const socket = connect(this.port, '127.0.0.1')
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
      socket.once('connect', () => socket.destroy())
    })
  }

  async stop(): Promise<void> {
    const child = this.child
    if (child && child.exitCode === null) {
      const ended = new Promise((resolve) => child.once('exit', resolve))
      child.kill('SIGKILL')
      await ended
    }
    rmSync(this.folder, { recursive: true, force: true })
  }
}
