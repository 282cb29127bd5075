/**
 * An upstream that answers, and wrongly: every fault of the list of issue 5, before fifty clients that ask for what is
 * here, others that ask for what is not, and a real apt.
 */
import t from 'tap'
import { makeFaultWorld } from '../support/fault-world.ts'
import type { Fault } from '../support/upstream-server.ts'

const bed = await makeFaultWorld(t, 30)
const { upstream, sluice } = bed.world

/** Upstream is well again, and known to be. */
async function mend(): Promise<void> {
  upstream.clearFaults()
  await sluice.api('POST', '/archives/nut/refresh')
}

const faults: readonly (readonly [title: string, fault: Fault, says: RegExp, status?: number])[] = [
  ['cuts all off', { kind: 'truncate', bytes: 0 }, /connection broke after|connection closed/],
  ['hangs up', { kind: 'close' }, /connection closed without an answer/],
  ['answers 503', { kind: 'status', status: 503 }, /answered 503/],
  ['leads inside', { kind: 'redirect', to: 'http://10.1.2.3/login' }, /10\.1\.2\.3/, 403],
  ['leads round', { kind: 'redirect', to: '/here' }, /redirects go round in a loop/],
  ['is a login page', { kind: 'html' }, /the signed index names|a web page/],
  ['has other lengths', { kind: 'wrong-size', by: 7 }, /the signed index names \d+/],
]

for (const [title, fault, says, status] of faults) {
  t.test(`while upstream ${title}`, async (t) => {
    upstream.fault(/./, fault)
    await bed.getKnown(t)
    await bed.getUnknown(t, says, status)
    if (fault.kind !== 'wrong-size') await bed.getUnverified(t)
    await mend()
  })
}

t.test('what is cut at half, and at half of the rest, comes whole in the end', async (t) => {
  upstream.fault(/away/, { kind: 'truncate', bytes: 4500 })
  await bed.getKnown(t)
  const { code, output } = await bed.aptDownloads(...bed.fresh(2))
  t.equal(code, 0, output)
  t.ok(upstream.requests.filter(({ headers }) => headers.range !== undefined).length >= 2)
  await mend()
})

t.test('what upstream has not is asked for once, until its archive was looked at', async (t) => {
  const [name = ''] = bed.fresh(1)
  upstream.fault(/away/, { kind: 'status', status: 404 })
  const path = `pool/main/a/${name}/${name}_1_amd64.deb`
  const url = `${sluice.url}/${new URL(upstream.url).host}/${path}`
  for (let round = 0; round < 2; round++) {
    const told = await Promise.all(Array.from({ length: 50 }, () => fetch(url)))
    for (const answer of told) {
      t.equal(answer.status, 404)
      t.match(await answer.text(), /^sluice: .*answered 404\nhint: \w/)
    }
    t.equal(upstream.count(`/${path}`), 1)
  }
  await mend()
  t.equal((await fetch(url)).status, 200)
})

t.test('then all is to be had', async (t) => {
  const { code, output } = await bed.aptDownloads(...bed.fresh(4))
  t.equal(code, 0, output)
})
