/**
 * An upstream whose Release lies, or that cannot be reached: what a refresh meets, with real apt behind it.
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { releaseDate } from '../../fixtures/make-archive.ts'
import { clearSign, detachSign, makeSigningKey } from '../../fixtures/signing-key.ts'
import { startSluice } from '../support/sluice.ts'
import { clean, troubles, type World } from '../support/world.ts'
import {
  type Attack,
  impatient,
  makeSiege,
  packages,
  serves,
  shownSuite,
  withstand,
} from './hostile.ts'

const inRelease = '/dists/stable/InRelease'
const hourMs = 3_600_000

async function goodRelease(world: World): Promise<string> {
  return readFile(join(world.dir, 'archive/dists/nut/Release'), 'utf8')
}

/** From now on upstream answers this text, whatever the conditions of the request. */
function answer(world: World, path: string, body: string): void {
  world.upstream.fault(path, { kind: 'status', status: 200, body })
}

/** Upstream's Release, changed and signed anew with its own key. */
async function signAnew(world: World, change: (release: string) => string): Promise<void> {
  const changed = change(await goodRelease(world))
  answer(world, inRelease, await clearSign(changed, [world.key]))
}

function dated(release: string, date: number): string {
  return release.replace(/^Date: .*$/m, `Date: ${releaseDate(new Date(date))}`)
}

const releases: Attack[] = [
  {
    title: 'alters a signed InRelease',
    begin: async (world) => {
      const good = await readFile(join(world.dir, 'archive', inRelease), 'utf8')
      answer(world, inRelease, good.replace('Components: main', 'Components: evil'))
    },
    code: 'ERR_SIGNATURE_BAD',
    says: /InRelease/,
  },
  {
    title: 'signs with a key that nobody knows',
    begin: async (world) => {
      const thief = await makeSigningKey(join(world.dir, 'keys'), 'Up <up@archive.example>')
      answer(world, inRelease, await clearSign(await goodRelease(world), [thief]))
    },
    code: 'ERR_KEY_UNKNOWN',
    says: /signed by [0-9A-F]{16}.*not by a key of the keyring/,
  },
  {
    title: 'answers an unsigned Release as InRelease',
    begin: async (world) => answer(world, inRelease, await goodRelease(world)),
    code: 'ERR_SIGNATURE_MISSING',
    says: /InRelease is not signed/,
  },
  {
    title: 'publishes a Release past its Valid-Until',
    begin: (world) =>
      signAnew(world, (release) => {
        const until = `Valid-Until: ${releaseDate(new Date(Date.now() - hourMs))}`
        return release.replace(/^Components:/m, `${until}\nComponents:`)
      }),
    code: 'ERR_RELEASE_EXPIRED',
    says: /stable: Release expired on .* UTC/,
  },
  {
    title: 'replays an older Release',
    begin: (world) => signAnew(world, (release) => dated(release, Date.now() - 24 * hourMs)),
    code: 'ERR_RELEASE_REPLAYED',
    says: /older than the one of .* UTC that is here/,
  },
  {
    title: 'dates its Release into the future',
    begin: (world) => signAnew(world, (release) => dated(release, Date.now() + hourMs)),
    code: 'ERR_RELEASE_FUTURE',
    says: /dated .* UTC, in the future/,
  },
  {
    title: 'answers the Release of another suite, signed by the same key',
    begin: (world) =>
      signAnew(world, (release) =>
        release
          .replace('Suite: stable', 'Suite: unstable')
          .replace('Codename: nut', 'Codename: sid'),
      ),
    code: 'ERR_RELEASE_WRONG_SUITE',
    says: /stable: the Release there is of another suite \(unstable, sid\)/,
  },
  {
    title: 'takes the digests out of its Release',
    begin: (world) => signAnew(world, (release) => release.replace(/^SHA256:\n( .*\n)*/m, '')),
    code: 'ERR_FORMAT',
    says: /Release without a SHA256 list/,
  },
]

const connections: Attack[] = [
  {
    title: 'is a hotel that wants a login',
    begin: ({ upstream }) => upstream.fault(/./, { kind: 'html' }),
    code: 'ERR_SIGNATURE_MISSING',
    says: /looks like a web page/,
  },
  {
    title: 'redirects in a loop',
    begin: ({ upstream }) => {
      upstream.fault(inRelease, { kind: 'redirect', to: '/elsewhere' })
      upstream.fault('/elsewhere', { kind: 'redirect', to: inRelease })
    },
    code: 'ERR_UPSTREAM_REDIRECT',
    says: /elsewhere: redirects go round in a loop/,
  },
  {
    title: 'hangs up without a word',
    begin: ({ upstream }) => upstream.fault(/./, { kind: 'close' }),
    code: 'ERR_UPSTREAM_UNREACHABLE',
    says: /InRelease: connection/,
  },
  {
    title: 'is in trouble',
    begin: ({ upstream }) => upstream.fault(/./, { kind: 'status', status: 500 }),
    code: 'ERR_UPSTREAM_STATUS',
    says: /InRelease: answered 500/,
  },
  {
    title: 'has lost the suite',
    begin: ({ upstream }) => upstream.fault(/./, { kind: 'status', status: 404 }),
    code: 'ERR_UPSTREAM_STATUS',
    says: /neither InRelease nor Release for the suite stable/,
  },
]

const silences: Attack[] = [
  {
    title: 'takes requests and never answers',
    begin: ({ upstream }) => upstream.fault(/./, { kind: 'hang' }),
    code: 'ERR_UPSTREAM_TIMEOUT',
    says: /InRelease: no answer in time/,
  },
  {
    title: 'falls silent in the middle of InRelease',
    begin: async ({ publish, upstream }) => {
      await publish(packages)
      upstream.fault(inRelease, { kind: 'stall', bytes: 100 })
    },
    code: 'ERR_UPSTREAM_TIMEOUT',
    says: /InRelease: nothing came for/,
  },
]

t.test('nothing comes of it when an upstream', async (t) => {
  const siege = await makeSiege(t)
  for (const attack of [...releases, ...connections]) {
    await t.test(attack.title, (t) => withstand(t, siege, attack))
  }
})

t.test('nor when it', async (t) => {
  const siege = await makeSiege(t, { start: impatient })
  for (const attack of silences) await t.test(attack.title, (t) => withstand(t, siege, attack))
})

t.test('a tampered Release.gpg is refused where there is no InRelease', async (t) => {
  const siege = await makeSiege(t, { publish: { release: ['Release'] } })
  const { world } = siege
  const release = '/dists/stable/Release'
  const attacks: Attack[] = [
    {
      title: 'signature of another text',
      begin: async () => {
        answer(world, release, await goodRelease(world))
        answer(world, `${release}.gpg`, await detachSign('another text\n', [world.key]))
      },
      code: 'ERR_SIGNATURE_BAD',
      says: /Release/,
    },
    {
      title: 'Release changed below its signature',
      begin: async () => {
        const good = await goodRelease(world)
        answer(world, release, good.replace('Components: main', 'Components: evil'))
      },
      code: 'ERR_SIGNATURE_BAD',
      says: /Release/,
    },
    {
      title: 'no signature at all',
      begin: async () => {
        answer(world, release, await goodRelease(world))
        world.upstream.fault(`${release}.gpg`, { kind: 'status', status: 404 })
      },
      code: 'ERR_SIGNATURE_MISSING',
      says: /stable: Release has no Release.gpg/,
    },
  ]
  for (const attack of attacks) await t.test(attack.title, (t) => withstand(t, siege, attack))
})

t.test('a dead upstream keeps nothing from machines that is stored', async (t) => {
  const siege = await makeSiege(t)
  const { world } = siege
  const setUrl = async (url: string): Promise<void> => {
    await world.sluice.api('PATCH', '/archives/nut', { urls: [url] })
  }
  await t.test('while it has gone from its port', async (t) => {
    await withstand(
      t,
      { world, machines: siege.machines.slice(0, 1) },
      {
        title: 'closed port',
        begin: () => setUrl('http://127.0.0.1:9'),
        end: () => setUrl(world.upstream.url),
        code: 'ERR_UPSTREAM_UNREACHABLE',
        says: /InRelease: connection refused/,
      },
    )
  })
  await world.upstream.close()
  await world.sluice.api('POST', '/archives/nut/refresh')
  await serves(t, siege)
  const late = await world.machine('late', 'approved')
  t.same(troubles(await late.update()), clean)
  t.same(troubles(await late.install('hello')), clean)
  const cold = await late.run('apt-get', ['install', '-y', '-oAcquire::Retries=0', 'other'])
  t.equal(cold.code, 100)
  t.match(cold.stderr, /other_1_all\.deb +503/, 'apt may try again')
  const { since } = (await shownSuite(world)).problem

  await world.sluice.close()
  const again = await startSluice(world.sluice.dataDir)
  t.teardown(() => again.close())
  const { problem } = (await again.api('GET', '/archives/nut')).suites[0]
  t.equal(problem.since, since, 'a restart does not forget since when')
  const base = `${again.url}/channels/approved/nut`
  await late.setSources(`deb [signed-by=${join(late.dir, 'sluice.asc')}] ${base} stable main`)
  t.same(troubles(await late.update()), clean)
})
