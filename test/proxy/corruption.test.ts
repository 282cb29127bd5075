/**
 * An upstream that flips a bit in every second answer, of all but what is signed: whoever fetches thirty packages notices
 * nothing, with one mirror or two, on a channel or through the proxy. Each run begins with an empty store. Four runs in
 * `npm test`, a hundred in `npm run soak`; SEED repeats where bits are flipped.
 */
import { join } from 'node:path'
import t from 'tap'
import { randomFrom } from '../../bench/random.ts'
import type { PackageSpec } from '../../fixtures/debs.ts'
import { createApt } from '../support/apt.ts'
import { type DownloadWorld, makeDownloadWorld } from '../support/download-world.ts'
import { scratchFiles } from '../support/scratch-files.ts'
import { seedOr } from '../support/seed.ts'

const RUNS = process.env.SOAK === undefined ? 4 : 100
const seed = seedOr(process.env.SEED)
const random = randomFrom(seed)
t.setTimeout(1_000_000 + RUNS * 60_000)

/** Mostly small ones, as in an archive; some are streamed, and so may be wrong before anybody knows. */
const packages: PackageSpec[] = Array.from({ length: 30 }, (_, at) => ({
  name: `pack-${at}`,
  version: '1',
  arch: 'amd64',
  content: at % 5 === 0 ? 150_000 + at * 20_000 : 2_000 + at * 500,
}))

t.test(`thirty packages, ${RUNS} times (seed ${seed})`, async (t) => {
  const world = await makeDownloadWorld(t, packages)
  for (let run = 0; run < RUNS; run++) {
    const [mirrors, way] = [1 + (run % 2), run % 4 < 2 ? 'channel' : 'proxy'] as const
    t.same(await fetchAll(world, run, mirrors, way), good, `run ${run}: ${mirrors}, ${way}`)
  }
  const flipped = world.mirrors.reduce((sum, mirror) => sum + mirror.count(/deb$/), 0) - RUNS * 30
  t.ok(flipped > RUNS * 10, `${flipped} files had to be fetched again`)
})

const good = {
  ...{ updated: 0, code: 0, errors: [], warnings: [], mismatches: [], cached: 30 },
  ...{ problems: [], left: [] },
}

async function fetchAll(
  world: DownloadWorld,
  run: number,
  mirrors: number,
  way: 'channel' | 'proxy',
): Promise<object> {
  const sluice = await world.follow(`var-${run}`, world.mirrors.slice(0, mirrors))
  try {
    const [first] = world.mirrors
    const isProxy = way === 'proxy'
    const apt = await createApt(join(world.dir, `machine-${run}`), {
      sources: isProxy
        ? `deb [signed-by=${world.key.publicAsc}] ${first?.url} stable main`
        : `deb [trusted=yes] ${sluice.url}/channels/testing/nut stable main`,
      ...(isProxy ? { proxy: sluice.url } : {}),
    })
    for (const mirror of world.mirrors.slice(0, mirrors)) {
      mirror.clearFaults()
      mirror.fault(/(xz|gz|deb)$|by-hash/, { kind: 'spoil', draw: random }, { every: 2 })
    }
    const { code: updated } = await apt.update()
    const { code, errors, warnings, output } = await apt.download(
      ...packages.map(({ name }) => name),
    )
    const mismatches = output.split('\n').filter((line) => /mismatch|unexpected size/i.test(line))
    const { problems } = await sluice.api('POST', '/verify', { deep: true })
    const left = await scratchFiles(sluice.dataDir)
    const cached = (await apt.cached()).length
    return { updated, code, errors, warnings, mismatches, cached, problems, left }
  } finally {
    await sluice.close()
  }
}
