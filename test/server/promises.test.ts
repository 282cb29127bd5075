/**
 * What a channel named it can deliver: files that upstream replaced are fetched while upstream still has them.
 */
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { type PackageSpec, poolPath } from '../../fixtures/debs.ts'
import type { TestSluice } from '../support/sluice.ts'
import { createTestClock } from '../support/test-clock.ts'
import { clean, makeWorld, troubles, type World } from '../support/world.ts'

const MINUTE_MS = 60_000

const hello = (version: string): PackageSpec => ({
  name: 'hello',
  version,
  arch: 'amd64',
  content: 3000,
})
const tool = (version: string): PackageSpec => ({
  name: 'tool',
  version,
  arch: 'all',
  source: 'tools',
  content: 2000,
})
const other: PackageSpec = { name: 'other', version: '1', arch: 'all' }

t.test('all generations deliver what upstream drops an hour after replacing it', async (t) => {
  const clock = createTestClock()
  const world = await makeWorld(t, [hello('1'), tool('1'), other], {
    start: { clock, flags: { 'refresh-minutes': '10' } },
  })
  const { sluice } = world
  const history: { readonly replaced: PackageSpec; readonly atMinute: number }[] = []
  const publications: Readonly<Record<number, readonly [PackageSpec[], PackageSpec]>> = {
    7: [[hello('2'), tool('1'), other], hello('1')],
    31: [[hello('2'), tool('2'), other], tool('1')],
    95: [[hello('3'), tool('2'), other], hello('2')],
  }
  for (let minute = 0; minute < 170; minute++) {
    const published = publications[minute]
    if (published !== undefined) {
      await world.publish(published[0])
      history.push({ replaced: published[1], atMinute: minute })
    }
    for (const { replaced, atMinute } of history) {
      if (minute === atMinute + 60) await drop(world, replaced)
    }
    await advance(sluice, clock, MINUTE_MS)
  }
  for (const { replaced } of history) {
    const gone = await fetch(`${world.upstream.url}/${poolPath(replaced)}`)
    t.equal(gone.status, 404, `upstream has no ${replaced.name} ${replaced.version} any more`)
  }
  const channels: Readonly<Record<string, readonly string[]>> = {
    'testing@1': ['hello=1', 'tool=1', 'other=1'],
    'testing@2': ['hello=2', 'tool=1', 'other=1'],
    'testing@3': ['hello=2', 'tool=2', 'other=1'],
    'testing@4': ['hello=3', 'tool=2', 'other=1'],
    'approved@1': ['hello=1', 'tool=1', 'other=1'],
  }
  for (const [channel, names] of Object.entries(channels)) {
    const apt = await world.machine(
      channel.replace('@', '-'),
      channel,
      ' check-date=no check-valid-until=no',
    )
    t.same(troubles(await apt.update()), clean, channel)
    t.same(troubles(await apt.download(...names)), clean, `${channel}: ${names.join(' ')}`)
    t.equal((await apt.cached()).length, names.length)
  }
  t.match(await sluice.api('GET', '/channels'), [{ lost: 0 }, { lost: 0 }])
})

/** Moves the clock on; a round that is due then has ended, and so has the rescue of what it found. */
async function advance(
  { api }: TestSluice,
  clock: ReturnType<typeof createTestClock>,
  ms: number,
): Promise<void> {
  const { nextRefreshAt } = await api('GET', '/status')
  clock.advance(ms)
  const isDue = nextRefreshAt <= clock.now()
  while (isDue && (await api('GET', '/status')).nextRefreshAt === nextRefreshAt);
  for (let isOver = false; !isOver; ) {
    const { rescue } = await api('GET', '/archives/nut')
    isOver = !rescue.isLooking && rescue.files === 0
  }
}

async function drop({ dir }: Pick<World, 'dir'>, spec: PackageSpec): Promise<void> {
  await rm(join(dir, 'archive', poolPath(spec)))
}
