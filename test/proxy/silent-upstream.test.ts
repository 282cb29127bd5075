/**
 * An upstream that takes requests and says nothing, or next to nothing: clients wait for what is not here no longer than they
 * can, and for what is here not at all.
 */
import t from 'tap'
import { makeFaultWorld } from '../support/fault-world.ts'
import type { Fault } from '../support/upstream-server.ts'

const bed = await makeFaultWorld(t, 12, { silent: true })
const { upstream, sluice } = bed.world

/** Upstream is well again, and known to be. */
async function mend(): Promise<void> {
  upstream.clearFaults()
  await sluice.api('POST', '/archives/nut/refresh')
}

const faults: readonly (readonly [title: string, fault: Fault, says: RegExp])[] = [
  ['hangs at the head', { kind: 'hang' }, /no answer in time|upstream is slow/],
  ['hangs in the body', { kind: 'stall', bytes: 10 }, /nothing came for|upstream is slow/],
  ['trickles', { kind: 'trickle', bytesPerSecond: 1 }, /nothing came|slower than|upstream is slow/],
]

for (const [title, fault, says] of faults) {
  t.test(`while upstream ${title}`, async (t) => {
    upstream.fault(/./, fault)
    await bed.getKnown(t)
    await bed.getUnknown(t, says)
    await bed.getUnverified(t)
    await mend()
  })
}

t.test('three hundred who ask a silent upstream cost it and us a few connections', async (t) => {
  upstream.fault(/./, { kind: 'hang' })
  upstream.clearRequests()
  const { host } = new URL(upstream.url)
  const asked = Array.from({ length: 300 }, (_, at) => `${sluice.url}/${host}/project/file-${at}`)
  const told = asked.map(async (url) => {
    const answer = await fetch(url)
    return { status: answer.status, text: await answer.text() }
  })
  for (const { status, text } of await Promise.all(told)) {
    t.equal(status, 503)
    t.match(text, /^sluice: \w.*\nhint: \w/)
  }
  t.ok(upstream.count() < 150, `${upstream.count()} requests`)
  const metrics = await (await fetch(`${sluice.url}/metrics`)).text()
  t.match(metrics, `sluice_upstream_left_alone{origin="${upstream.url}"} 1`)
  const { upstreamTroubles } = await sluice.api('GET', '/status')
  t.match(upstreamTroubles, [{ origin: upstream.url, code: 'ERR_UPSTREAM_TIMEOUT' }])
  await bed.getKnown(t)
  await mend()
})
