/**
 * An upstream whose .debs are not what its signed indexes name, with real apt behind it: on a channel, and through the
 * proxy. Files of less and of more than what is held back until the digest is known fail in different ways.
 */
import t, { type Test } from 'tap'
import type { PackageSpec } from '../../fixtures/debs.ts'
import type { TestApt } from '../support/apt.ts'
import type { Fault } from '../support/upstream-server.ts'
import { clean, troubles } from '../support/world.ts'
import {
  holdsNothingWrong,
  impatient,
  makeSiege,
  packages,
  printedArchive,
  serves,
} from './hostile.ts'

const small = (name: string): PackageSpec => ({ name, version: '1', arch: 'all', content: 3000 })
const large = (name: string): PackageSpec => ({ name, version: '1', arch: 'all', content: 200_000 })

const lasting: { name: string; fault: Fault; code: string; says: RegExp }[] = [
  {
    name: 'flipped',
    fault: { kind: 'flip', offset: 1000 },
    code: 'ERR_DIGEST_MISMATCH',
    says: /not those that the signed index names/,
  },
  {
    name: 'shorter',
    fault: { kind: 'wrong-size', by: -100 },
    code: 'ERR_SIZE_MISMATCH',
    says: /has \d+ bytes, the signed index names \d+/,
  },
  {
    name: 'longer',
    fault: { kind: 'wrong-size', by: 1 },
    code: 'ERR_SIZE_MISMATCH',
    says: /a larger file was sent, the signed index names \d+/,
  },
  {
    name: 'page',
    fault: { kind: 'html' },
    code: 'ERR_SIZE_MISMATCH',
    says: /the signed index names/,
  },
  {
    name: 'broken',
    fault: { kind: 'truncate', bytes: 100 },
    code: 'ERR_UPSTREAM_UNREACHABLE',
    says: /connection broke after 100 of/,
  },
  {
    name: 'loop',
    fault: { kind: 'redirect', to: '?' },
    code: 'ERR_UPSTREAM_REDIRECT',
    says: /redirects go round/,
  },
  {
    name: 'silent',
    fault: { kind: 'hang' },
    code: 'ERR_UPSTREAM_TIMEOUT',
    says: /no answer in time/,
  },
  {
    name: 'gone',
    fault: { kind: 'status', status: 404 },
    code: 'ERR_UPSTREAM_STATUS',
    says: /answered 404/,
  },
]
const smallNames = lasting.map(({ name }) => `small-${name}`)
const largeNames = lasting.map(({ name }) => `large-${name}`)

/** A siege whose archive has more packages; all machines know them. */
async function siegeWith(t: Test, extra: PackageSpec[]): ReturnType<typeof makeSiege> {
  const siege = await makeSiege(t, { start: impatient })
  await siege.world.publish([...packages, ...extra])
  await siege.world.sluice.api('POST', '/archives/nut/refresh')
  for (const apt of siege.machines) t.same(troubles(await apt.update()), clean)
  return siege
}

/** Asks for each file once, one after the other: apt would try for seconds else, and drop those behind a reset. */
async function fails(t: Test, apt: TestApt, names: readonly string[]): Promise<void> {
  const once = ['-oAcquire::Retries=0', '-oAcquire::http::Pipeline-Depth=0']
  const run = await apt.install(...once, ...names)
  t.equal(run.code, 100)
  const failed = run.errors.filter((line) => line.startsWith('Failed to fetch'))
  t.equal(failed.length, names.length, 'apt has none of them')
  t.notMatch(run.output, /mismatch|unexpected size/i, 'and was never given a whole wrong file')
  t.same(await apt.installed(), ['hello=1'])
}

t.test('no machine gets a .deb that is not what the signed index names', async (t) => {
  const siege = await siegeWith(t, [...smallNames.map(small), ...largeNames.map(large)])
  const { world, machines } = siege
  for (const { name, fault } of lasting) world.upstream.fault(new RegExp(`-${name}_1_`), fault)
  const startedAt = Date.now()
  const [onChannel, proxied] = machines
  await Promise.all([fails(t, onChannel, smallNames), fails(t, proxied, largeNames)])
  // A refresh looks whether upstream is there again, and lets everything be asked for again.
  await world.sluice.api('POST', '/archives/nut/refresh')
  await Promise.all([fails(t, onChannel, ['large-page']), fails(t, proxied, ['small-page'])])
  await holdsNothingWrong(t, world)
  await serves(t, siege)
  const { fileProblems, suites } = await world.sluice.api('GET', '/archives/nut')
  t.equal(suites[0].problem, undefined, 'the suite itself is well')
  const printed = await printedArchive(world)
  t.match(
    printed,
    /^wrong: .*small-flipped_1_all\.deb.*\n {2}since \d.* \(.*\); machines that ask/m,
  )
  t.equal(fileProblems.length, smallNames.length + largeNames.length)
  for (const { name, code, says } of lasting) {
    for (const size of ['small', 'large']) {
      const file = `${size}-${name}_1_all.deb`
      const problem = fileProblems.find((one: { file: string }) => one.file === file)
      t.match(problem, { code, message: says, hint: /\w/ }, file)
      t.match(problem?.message, file, 'it names the file')
      t.ok(problem?.since >= startedAt && problem?.since <= problem?.lastAt)
      if (name === 'page') t.ok(problem?.since < problem?.lastAt, 'since the first failure')
    }
  }

  world.upstream.clearFaults()
  await world.sluice.api('POST', '/archives/nut/refresh')
  const names = [...smallNames, ...largeNames]
  const healed = machines.map(async (apt) => t.same(troubles(await apt.install(...names)), clean))
  await Promise.all(healed)
  t.same((await world.sluice.api('GET', '/archives/nut')).fileProblems, [], 'it is over')
  await holdsNothingWrong(t, world)
})

t.test('a .deb that is bad once is had in the same run of apt', async (t) => {
  const faults: Fault[] = [
    { kind: 'flip', offset: 1000 },
    { kind: 'wrong-size', by: -100 },
    { kind: 'html' },
    { kind: 'truncate', bytes: 1000 },
    { kind: 'stall', bytes: 1000 },
  ]
  const extra = faults.flatMap(({ kind }) => [small(`small-${kind}`), large(`large-${kind}`)])
  const { world, machines } = await siegeWith(t, extra)
  for (const fault of faults) {
    for (const size of ['small', 'large']) {
      world.upstream.fault(new RegExp(`${size}-${fault.kind}_1_`), fault, { times: 1 })
    }
  }
  const installs = async (apt: TestApt, size: string): Promise<void> => {
    const names = faults.map(({ kind }) => `${size}-${kind}`)
    // apt says `Ign:` of each first try.
    t.same(troubles({ ...(await apt.install(...names)), ignored: [] }), clean)
    t.same(await apt.installed(), ['hello=1', ...names.map((name) => `${name}=1`).sort()])
  }
  const [onChannel, proxied] = machines
  await Promise.all([installs(onChannel, 'large'), installs(proxied, 'small')])
  await holdsNothingWrong(t, world)
})
