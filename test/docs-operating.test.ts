/**
 * docs/operating.md, tried: each line that an administrator is told to type is run in the order of the page, against a real
 * server with real apts, and what is said around it is looked at then. Numbers and settings are compared with the program.
 * A line that this test does not know fails it.
 */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { caughtUp } from './support/based.ts'
import { makeDocsWorld } from './support/docs-world.ts'
import { keysAt } from './support/key-files.ts'
import { blocksOf, commandsOf, spansOf } from './support/markdown.ts'
import { roomPlays } from './support/room-plays.ts'
import { startSluice } from './support/sluice.ts'
import { clean, troubles } from './support/world.ts'

const page = await readFile(join(import.meta.dirname, '../docs/operating.md'), 'utf8')
const prose = page.replace(/\s*\n\s*/g, ' ')
const world = await makeDocsWorld(t)
const { dir, home, sluice, upstream, publish, machine, versions, sources, release, date } = world
const { api } = sluice
const backups = join(home, 'backups')
const passphraseFile = join(home, 'passphrase')
await writeFile(passphraseFile, 'correct horse\n')
const gpg = `gpg --homedir ${dir} --batch --pinentry-mode loopback --passphrase-file`
const places = {
  '/var/cache/apt/archives': join(home, 'archives'),
  '/srv/backup/sluice': backups,
  '/root/sluice.pass': passphraseFile,
  'http://old.mirror.example.org': `${upstream.url}/old`,
  'gpg -d': `${gpg} ${passphraseFile} -d`,
}

/** What is printed: the standard output, or with another exit code than 0 the standard error. */
interface Play {
  readonly prints: RegExp
  readonly code?: number
  readonly before?: (t: Test) => Promise<unknown>
  /** What is said of it beside. */
  readonly after?: (t: Test) => Promise<unknown>
}

const one = await machine('one', 'channels/approved')
const member = { apt: one, seen: 0 }

const archives: Readonly<Record<string, Play>> = {
  'sluice archive set debian --sources --language en de --with contents dep11': {
    prints:
      /^takes +source packages\ntakes +descriptions in en, de\ntakes +contents\ntakes +dep11$/m,
  },
  'sluice archive refresh debian': {
    prints: /^debian +bookworm +changed, 1 package, 1 source/m,
    after: async (t) => t.same([await sources('testing'), await sources('approved')], [1, 0]),
  },
  "sluice promote --all --reason 'source packages'": {
    prints: /^approved generation 8, /m,
    after: async (t) => t.equal(await sources('approved'), 1),
  },
  'sluice archive show debian': {
    before: async () => {
      upstream.fault(/^\/debian\//, { kind: 'status', status: 503 })
      await api('POST', '/archives/refresh')
    },
    prints: /^wrong: debian bookworm: .* answered 503\n +since .*; channels go on serving/m,
    after: async (t) => {
      t.same(troubles(await one.update()), clean)
      upstream.clearFaults()
      await api('POST', '/archives/refresh')
    },
  },
}

const channels: Readonly<Record<string, Play>> = {
  'sluice channel create all --follow debian debian-security': {
    prints: /^channel all generation 1: following$/m,
  },
  'sluice channel create pilot --from testing': {
    prints: /^channel pilot generation 1: curated$/m,
  },
  'sluice channel create web --base approved': { prints: /^channel web generation 1: derived$/m },
  "sluice hold tzdata --channel web --reason 'until the report of May is out'": {
    prints: /^web keeps tzdata 2025b-0\+deb12u1 in debian bookworm-updates$/m,
    after: async (t) => {
      await publish({ openssl: '3.0.17-1~deb12u1', tzdata: '2025c-0+deb12u1', label: 'Bookworm' })
      await api('POST', '/promotions', { from: 'testing', to: 'approved', all: true })
      await caughtUp(sluice, 'web')
      t.same(await versions('web', 'tzdata'), ['2025b-0+deb12u1'])
      t.same(await versions('web', 'openssl'), ['3.0.17-1~deb12u1'])
    },
  },
  'sluice hold --list': {
    prints: /^web +tzdata +2025b-0\+deb12u1 .* until the report of May is out$/m,
  },
  'sluice unhold tzdata --channel web': {
    prints: /^tzdata 2025b-0\+deb12u1 -> 2025c-0\+deb12u1/m,
    after: async (t) => t.same(await versions('web', 'tzdata'), ['2025c-0+deb12u1']),
  },
  'sluice channel copy approved autumn': {
    prints: /^channel autumn generation 1: a copy of approved$/m,
  },
  'sluice channel rename autumn winter': {
    before: () => api('POST', '/classes', { name: 'cold', channel: 'autumn' }),
    prints: /^channel autumn is winter now; its key, its Dates and its history went along$/m,
    after: async (t) => t.equal((await fetch(`${sluice.url}/channels/autumn/key.asc`)).status, 404),
  },
  'sluice channel delete winter': {
    before: async (t) => {
      const { error } = await api('DELETE', '/channels/winter')
      t.match(error, { code: 'ERR_REFUSED', message: /class cold/ })
      await api('DELETE', '/classes/cold')
    },
    prints: /^channel winter deleted; /,
  },
  'sluice channel show approved': {
    prints: /^ +debian bookworm +Label: Debian -> Bookworm$/m,
    after: async (t) =>
      t.match(await release('channels/approved', 'debian', 'bookworm'), /^Label: Debian$/m),
  },
  'sluice channel adopt-release approved --dry-run': {
    prints: /^ +apt-get update --allow-releaseinfo-change$/m,
  },
}

const classes: Readonly<Record<string, Play>> = {
  'sluice class create lab --channel testing': {
    before: () => publish({ openssl: '3.0.18-1~deb12u1', tzdata: '2025c-0+deb12u1' }),
    prints: /^class lab generation 1: what testing is$/m,
    after: async (t) => {
      member.apt = await machine('member', 'class/lab')
      await followed(t, '3.0.18-1~deb12u1')
    },
  },
  "sluice class set lab --channel approved --reason 'the tests are over'": {
    prints: /^class lab: testing -> approved, generation 2; /,
    after: async (t) => {
      await followed(t, '3.0.17-1~deb12u1')
      for (const [channel, version] of [
        ['testing', 18],
        ['approved', 17],
      ]) {
        await api('PATCH', '/classes/lab', { channel })
        await followed(t, `3.0.${version}-1~deb12u1`)
      }
    },
  },
  'sluice class show lab': { prints: /^URIs: http:\/\/[^/]+\/class\/lab\/debian-security$/m },
}

const history: Readonly<Record<string, Play>> = {
  'sluice channel history approved': { prints: /^8 .* admin +promote .* source packages$/m },
  'sluice diff approved@1 approved --fields': {
    prints: /^openssl 3\.0\.15-1~deb12u1 -> 3\.0\.17-1~deb12u1 /m,
  },
  "sluice search 'libssl*' --history": {
    prints: /^libssl3 +3\.0\.15-1~deb12u1 .* approved +1 .* 7 /m,
  },
  'sluice changelog openssl --from approved': { prints: /^openssl \(3\.0\.17-1~deb12u1\) / },
  'sluice channel clients approved': {
    prints: /^127\.0\.0\.1 .* behind .* apt /m,
    after: async (t) => {
      t.same(troubles(await one.update()), clean)
      const { stdout } = await world.play('sluice channel clients approved --behind')
      t.match(
        stdout,
        /^all machines that took approved in the last 30 days have what it holds now$/m,
      )
      const told = await one.run('apt-get', ['changelog', 'openssl'])
      t.match(told.stdout, /^openssl \(3\.0\.17-1~deb12u1\) /m)
    },
  },
}

const promises: Readonly<Record<string, Play>> = {
  'sluice channel fill approved --dry-run': {
    prints: /^would fetch \d+ files .* of approved generation /,
  },
  'sluice channel fill approved': {
    prints: / fetched and checked; approved generation /,
    after: async (t) => {
      const metrics = await (await fetch(`${sluice.url}/metrics`)).text()
      const [name = ''] = spansOf(page).filter((span) => span.startsWith('sluice_'))
      for (const state of ['held', 'reachable', 'lost'])
        t.match(metrics, new RegExp(`^${name}\\{channel="approved",state="${state}"\\} \\d+$`, 'm'))
    },
  },
  'sluice archive set debian --fallback http://old.mirror.example.org/debian': {
    prints: /^fallback .*\/old\/debian/m,
  },
}

const keys: Readonly<Record<string, Play>> = {
  'sluice key list': {
    prints: /^channel approved .* current .*\nchannel .*\n(.*\n)*class lab .* current /m,
  },
  "sluice key rotate approved --reason 'yearly'": {
    prints: /^next key of approved: /,
    after: async (t) => {
      t.equal((await keysAt(`${sluice.url}/channels/approved/key.asc`)).length, 2)
      t.same(troubles(await one.update()), clean, 'the old key does')
      const other = await machine('other', 'channels/approved')
      t.same(troubles(await other.update()), clean, 'both do')
    },
  },
  'sluice key rotate approved --finish': {
    code: 5,
    prints: new RegExp(`not for ${/it is refused for (\d+) days/.exec(prose)?.[1]}: `),
  },
}

const backup: Readonly<Record<string, Play>> = {
  'sluice backup /srv/backup/sluice --passphrase-file /root/sluice.pass': {
    prints: /^backup +\d{8}T\d{6}Z in /,
  },
  'sluice restore /srv/backup/sluice --check': { prints: /^all is well: / },
  'sluice restore /srv/backup/sluice --data ./var-new --passphrase-file /root/sluice.pass': {
    prints: /^restored .* into \.\/var-new: /,
    after: async (t) => {
      const before = await date('channels/approved')
      const again = await startSluice(join(home, 'var-new'))
      t.teardown(() => again.close())
      t.ok((await date('channels/approved', again.url)) > before)
    },
  },
  'gpg -d /srv/backup/sluice/snapshots/*/keys.tar.gpg | tar t': {
    prints: /^([0-9A-F]{40}\.asc\n){5,}$/,
  },
}

const audit: Readonly<Record<string, Play>> = {
  'sluice audit --since 7d --what promote': { prints: /^WHEN .*\n(.* promote .*\n)+$/ },
  'sluice audit --csv --all': { prints: /^row,at,who,what,object,why,detail,hash\r\n\d+,\d{4}-/ },
  'sluice audit verify': { prints: /^all is well: \d+ rows, the last one is [0-9a-f]{64}$/m },
}

const plays: Readonly<Record<string, Play>> = {
  ...archives,
  ...channels,
  ...classes,
  ...history,
  ...promises,
  ...keys,
  ...roomPlays(world, places['/var/cache/apt/archives']),
  'sluice stats': { prints: /^WHAT +TODAY +7 DAYS +ALL TIME\nfiles sent +\d/ },
  ...backup,
  ...audit,
}

t.test('the page names the commands that are tried here, in this order, and no others', (t) => {
  t.same(
    commandsOf(page, ['sluice', 'gpg', 'apt-get']).filter((one) => one !== 'apt-get update'),
    Object.keys(plays),
  )
  const lines = blocksOf(page).flatMap(({ text }) => text.split('\n'))
  t.same(
    lines.filter((line) => !(line in plays)),
    [],
    'all lines of blocks are commands',
  )
  t.end()
})

for (const [line, { prints, code = 0, before, after }] of Object.entries(plays)) {
  t.test(`\`${line}\` works`, async (t) => {
    await before?.(t)
    const ended = await world.play(line, { replace: places })
    t.equal(ended.code, code, ended.stderr)
    t.match(code === 0 ? ended.stdout : ended.stderr, prints)
    await after?.(t)
  })
}

t.test('old states are there under their number and under a time', async (t) => {
  const [option = ''] = spansOf(page).filter((span) => span.startsWith('[check-'))
  const [byNumber = '', byTime = ''] = spansOf(page).filter((span) => span.includes('approved@'))
  t.match(`${byNumber} ${byTime}`, /\/channels\/approved@7\/debian approved@\d{8}T\d{6}Z$/)
  const text = await release('channels/approved', 'debian-security', 'bookworm-security')
  const times = [...text.matchAll(/^(?:Date|Valid-Until): (.*)$/gm)]
  const [from = 0, until = 0] = times.map(([, time = '']) => Date.parse(time))
  t.match(prose, `a Release is valid for ${(until - from) / 86_400_000} days`)
  const now = new Date().toISOString().replaceAll(/[-:]|\.\d+/g, '')
  for (const [name, version] of [
    ['approved@7', '3.0.15-1~deb12u1'],
    [`approved@${now}`, '3.0.17-1~deb12u1'],
  ] as const) {
    const apt = await machine(name, `channels/${name}`, ` ${option.slice(1, -1)}`)
    t.same(troubles(await apt.update()), clean)
    t.equal((await apt.policy('openssl')).candidate, version)
  }
})

/** What the machine of the class sees at its next update, which has a later Date than the one before. */
async function followed(t: Test, version: string): Promise<void> {
  const seen = member.seen
  member.seen = await date('class/lab')
  t.ok(member.seen > seen)
  t.same(troubles(await member.apt.update()), clean)
  t.equal((await member.apt.policy('openssl')).candidate, version)
}
