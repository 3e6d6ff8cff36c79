import { test } from './fixtures'
test('debug', async ({ server, person }) => {
  const ada = await person('Ada', { tone: 440 })
  const ben = await person('Ben', { tone: 1000 })
  for (const p of [ada, ben]) { p.page.on('console', (m) => console.log(p.name, m.type(), m.text().slice(0, 400))); p.page.on('pageerror', (e) => console.log(p.name, 'ERR', e)) }
  await ada.join(server.room, { microphone: true, camera: true })
  await ben.join(server.room, { microphone: true, camera: true })
  await ada.page.waitForTimeout(5000)
  for (const p of [ada, ben]) {
    console.log(p.name, JSON.stringify(await p.page.evaluate(async () => {
      const room = (window as any).__conf.room
      const pc = room.engine?.pcManager?.publisher
      const stats: any[] = []
      const s = await pc?.getStats()
      s?.forEach((e: any) => { if (['inbound-rtp','outbound-rtp','transport','candidate-pair'].includes(e.type)) stats.push({ t: e.type, k: e.kind, mid: e.mid, rid: e.rid, ssrc: e.ssrc, pr: e.packetsReceived, ps: e.packetsSent, fd: e.framesDecoded, st: e.state ?? e.dtlsState, cipher: e.srtpCipher, nack: e.nackCount, pli: e.pliCount, fr: e.framesReceived, kf: e.keyFramesDecoded }) })
      return { state: room.state, remote: [...room.remoteParticipants.values()].map((r: any) => ({ id: r.identity, name: r.name, tracks: [...r.trackPublications.values()].map((t: any) => ({ sid: t.trackSid, src: t.source, sub: t.isSubscribed, muted: t.isMuted, enabled: t.isEnabled })) })), local: [...room.localParticipant.trackPublications.values()].map((t: any) => ({ sid: t.trackSid, src: t.source })), pc: pc?.getConnectionState?.(), stats }
    })))
    await p.page.screenshot({ path: `/work/e2e-out/debug-${p.name}.png` })
  }
  console.log(server.log)
  console.log((await server.metrics()).split('\n').filter((l) => l && !l.startsWith('#') && !/ 0$/.test(l)).join('\n'))
})
