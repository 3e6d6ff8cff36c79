// A known tone as the fake microphone of one browser.
import { mkdirSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Writes ten seconds of a sine as 48 kHz mono WAV and returns the file's path. */
export function toneFile(hertz: number): string {
  const rate = 48_000
  const samples = rate * 10
  const bytes = Buffer.alloc(44 + samples * 2)
  bytes.write('RIFF', 0)
  bytes.writeUInt32LE(36 + samples * 2, 4)
  bytes.write('WAVEfmt ', 8)
  bytes.writeUInt32LE(16, 16)
  bytes.writeUInt16LE(1, 20)
  bytes.writeUInt16LE(1, 22)
  bytes.writeUInt32LE(rate, 24)
  bytes.writeUInt32LE(rate * 2, 28)
  bytes.writeUInt16LE(2, 32)
  bytes.writeUInt16LE(16, 34)
  bytes.write('data', 36)
  bytes.writeUInt32LE(samples * 2, 40)
  for (let i = 0; i < samples; i++) {
    bytes.writeInt16LE(Math.round(12_000 * Math.sin((2 * Math.PI * hertz * i) / rate)), 44 + i * 2)
  }
  const folder = join(tmpdir(), 'conf-e2e-tones')
  mkdirSync(folder, { recursive: true })
  const path = join(folder, `${hertz}.wav`)
  writeFileSync(path, bytes)
  return path
}
