/**
 * `kill -9` between the flip of a base and that of what is based on it: the next start brings it up.
 */
import { join } from 'node:path'
import t from 'tap'
import type { PackageSpec } from '../../fixtures/debs.ts'
import { createApt } from '../support/apt.ts'
import { caughtUp } from '../support/based.ts'
import { startFront } from '../support/front.ts'
import { type SluiceProcess, startProcess } from '../support/sluice-process.ts'
import { clean, makeWorld, troubles } from '../support/world.ts'

const pack = (name: string, version: string): PackageSpec => ({ name, version, arch: 'amd64' })

const points = ['derive: content made', 'publish: written, not yet served'] as const

for (const point of points) {
  t.test(`a server killed at "${point}" brings derived channels and classes up`, async (t) => {
    const { dir, sluice, publish } = await makeWorld(t, [pack('hello', '1'), pack('other', '1')])
    const { api } = sluice
    await api('POST', '/channels', { name: 'web', base: 'approved' })
    await api('POST', '/classes', { name: 'lab', channel: 'web' })
    await api('POST', '/holds', { channel: 'web', source: 'other' })
    await publish([pack('hello', '2'), pack('other', '2')])
    await api('POST', '/archives/refresh')
    await sluice.close()
    const front = await startFront()
    t.teardown(() => front.close())
    const start = async (fault?: string): Promise<SluiceProcess> => {
      const begun = await startProcess(t, sluice.dataDir, fault)
      if (!('url' in begun)) throw new Error(begun.text)
      front.turnTo(begun.url)
      return begun
    }
    const first = await start(`kill-at:${point}`)
    const apt = await createApt(join(dir, 'lab'), { sources: '' })
    const key = join(apt.dir, 'sluice.asc')
    const keyUrl = `${front.url}/class/lab/key.asc`
    await apt.run('/usr/lib/apt/apt-helper', ['download-file', keyUrl, key])
    await apt.setSources(`deb [signed-by=${key}] ${front.url}/class/lab/nut stable main`)
    t.same(troubles(await apt.update()), clean)
    const wanted = { from: 'testing', to: 'approved', all: true }
    await first.api('POST', '/promotions', wanted).catch(() => undefined)
    t.match(await first.ended, { signal: 'SIGKILL' })

    const second = await start()
    // The kill may have come in the flip of the base itself.
    await second.api('POST', '/promotions', wanted)
    await caughtUp(second, 'class/lab')
    t.same(troubles(await apt.update()), clean)
    t.equal((await apt.policy('hello')).candidate, '2')
    t.equal((await apt.policy('other')).candidate, '1', 'what is held is held')
    t.match(await second.api('GET', '/channels/approved'), { head: 2 })
    t.match(await second.api('GET', '/channels/web'), { head: 2 })
    t.match(await second.api('GET', '/classes/lab'), { head: 2 })
    t.same((await second.api('POST', '/verify', {})).problems, [])
    await second.stop()
  })
}
