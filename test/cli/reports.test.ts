/** What lists say of channels, promotions and a first start, where a test of the whole would take days or a network. */
import t from 'tap'
import type { PendingAnswer } from '../../src/cli/api-pending-types.ts'
import type { PromotionAnswer } from '../../src/cli/api-promotion-types.ts'
import type { ChannelEntry } from '../../src/cli/api-types.ts'
import { channelState, channelTable } from '../../src/cli/channel-report.ts'
import { createOutput } from '../../src/cli/output.ts'
import { pendingLines } from '../../src/cli/pending-report.ts'
import { promotionLines } from '../../src/cli/promote-report.ts'
import { createServeReport } from '../../src/cli/serve-report.ts'
import type { StartEvent } from '../../src/server/start-event.ts'

const hour = 3_600_000
const day = 24 * hour

function channel(more: Partial<ChannelEntry> = {}): ChannelEntry {
  return {
    name: 'approved',
    kind: 'curated',
    follows: [],
    head: 3,
    packages: 64_655,
    changedAt: Date.now() - 2 * hour,
    waiting: { sources: 0, security: 0 },
    suites: 1,
    lost: 0,
    validUntil: Math.floor((Date.now() + 10 * day) / 1000),
    ...more,
  }
}

t.test('the state of a channel says what an administrator must know first', async (t) => {
  const now = Date.now()
  const state = (more: Partial<ChannelEntry>): string => channelState(channel(more), now)
  const inDays = (days: number): number => Math.floor((now + days * day) / 1000)
  t.equal(state({}), 'ok, no security fix is waiting')
  t.equal(state({ waiting: { sources: 12, security: 3 } }), '12 wait, 3 for SECURITY')
  t.equal(state({ waiting: { sources: 1, security: 0 } }), '1 waits, none for security')
  t.equal(state({ kind: 'following', waiting: null }), 'ok')
  t.equal(state({ head: 0, validUntil: null }), 'empty')
  const waiting = { sources: 12, security: 3 }
  t.equal(state({ validUntil: inDays(3), waiting }), 'expires in 3 d')
  t.equal(state({ validUntil: inDays(-2) }), 'EXPIRED 2 days ago: machines refuse it')
})

t.test('that a curated channel gets no security fix is said once, and only of those', async (t) => {
  const testing = channel({ name: 'testing', kind: 'following', waiting: null })
  const web = channel({ name: 'web' })
  const note = /only when you promote: no security fix/
  t.match(channelTable([testing, channel(), web], 200).at(-1), /^approved, web change only/)
  t.notMatch(channelTable([testing], 200).join('\n'), note)
})

const pending: PendingAnswer = {
  from: { channel: 'testing', serial: 41 },
  to: { channel: 'approved', serial: 17 },
  at: Date.now(),
  packages: 64_655,
  hasMore: false,
  total: 2,
  security: 1,
  matched: 2,
  changelogs: { read: 1, 'not here': 1 },
  pending: [
    {
      source: 'openssl',
      archive: 'debian-security',
      suite: 'bookworm-security',
      old: ['3.0.15-1'],
      new: ['3.0.16-1'],
      since: Date.now() - 5 * hour,
      binaries: 4,
      sizeBytes: 6_700_000,
      note: 'security',
      isSecurity: true,
      arrival: { since: Date.now() - 5 * hour, replaced: [], isAtLeast: false },
      changelog: 'read',
      urgency: 'high',
      cves: ['CVE-2025-1234', 'CVE-2025-1235', 'CVE-2025-1236'],
      entries: [],
      entryCount: 1,
      isCut: false,
      verdicts: [],
    },
    {
      source: 'newcomer',
      archive: 'debian',
      suite: 'bookworm',
      old: [],
      new: ['1-1'],
      since: Date.now() - 2 * day,
      binaries: 1,
      sizeBytes: 900,
      isSecurity: false,
      arrival: { since: Date.now() - 2 * day, replaced: [], isAtLeast: false },
      changelog: 'not here',
      urgency: 'unknown',
      cves: [],
      entries: [],
      entryCount: 0,
      isCut: false,
      verdicts: [],
    },
  ],
}

t.test(
  'what waits is told with its versions, its age and whether it is for security',
  async (t) => {
    t.same(pendingLines(pending, undefined), [
      'SOURCE    APPROVED  TESTING   SUITE                              FOR  URGENCY  CVES                                     BINARIES    SIZE  NOTE',
      'openssl   3.0.15-1  3.0.16-1  debian-security bookworm-security  5 h  high     CVE-2025-1234, CVE-2025-1235 and 1 more         4  6.7 MB  security',
      'newcomer  –         1-1       debian bookworm                    2 d  ?        ?                                               1   900 B',
      'changelogs not here yet: 1 (--fetch gets a package of each)',
    ])
    t.same(pendingLines(pending, 80).slice(0, 2), [
      'SOURCE    APPROVED  TESTING   SUITE         FOR  URGENCY  CVES    SIZE  NOTE',
      'openssl   3.0.15-1  3.0.16-1  bookworm-se…  5 h  high        3  6.7 MB  security',
    ])
    for (let width = 30; width < 200; width++) {
      const wide = pendingLines(pending, width).slice(0, 3)
      t.ok(
        wide.every((line) => line.length <= width),
        `${width}`,
      )
    }
  },
)

t.test('a large promotion is told in part, a small one whole', async (t) => {
  const change = (n: number) => ({
    archive: 'debian',
    suite: 'bookworm',
    source: `source-${n}`,
    old: ['1'],
    new: ['2'],
  })
  const answer: PromotionAnswer = {
    from: 'testing',
    to: 'approved',
    fromSerial: 3,
    before: 1,
    digest: '0123456789abcdef'.repeat(4),
    changes: Array.from({ length: 60 }, (_, n) => change(n)),
    keptBack: [{ ...change(99), new: [] }],
    leftOut: [{ ...change(98), reason: 'held' }],
    files: { count: 70, bytes: 1e9, missing: 70, missingBytes: 1e9 },
    packages: Array.from({ length: 70 }, (_, n) => ({ package: `p${n}`, architecture: 'amd64' })),
    generation: { serial: 2 },
    publishMs: 87,
  }
  const report = { isDryRun: false, width: undefined, command: 'sluice promote --all' }
  const lines = promotionLines(answer, report)
  t.equal(lines[0], 'source-0 1 -> 2  bookworm')
  t.ok(lines.includes('and 20 more'))
  t.match(lines.at(-3), /^approved generation 2, 0\.09 s after the last file; machines see it/)
  t.match(lines.at(-2), /^left out: 1 source held in approved .*: source-98$/)
  t.match(lines.at(-1), /^kept: 1 source that testing has no more .*: source-99$/)
  const dry = promotionLines({ ...answer, keptBack: [] }, { ...report, isDryRun: true })
  t.equal(dry[0], 'would make approved generation 2 from 1: 60 sources')
  t.match(dry[1], /^SOURCE +APPROVED +TESTING@3 +SUITE +BINARIES/)
  t.match(dry[61], /^source-59 +1 +2 +debian bookworm/, 'all of the plan')
  t.match(dry.at(-3), / 1\.0 GB, 0 of 70 files stored, 1\.0 GB to fetch$/)
  t.match(dry.at(-2), /^left out: 1 source held in approved .*: source-98$/)
  const again = 'sluice promote --all --plan 0123456789abcdef'
  t.equal(dry.at(-1), `nothing was changed; to do just this: ${again}`)
})

/** The lines that a start with these events prints. */
function printed(events: readonly StartEvent[]): string[] {
  let text = ''
  const out = { write: (more: string) => (text += more) }
  const report = createServeReport(createOutput({ out, err: out }, false))
  for (const event of events) report(event)
  return text.trimEnd().split('\n')
}

const opened: StartEvent = {
  kind: 'opened',
  version: '0.1.0',
  dataDir: './var',
  isNew: true,
  node: '24.21.0',
  archives: 0,
  channels: 0,
}
const suite = { archive: 'debian', suite: 'bookworm' } as const
const ready: StartEvent = {
  kind: 'ready',
  url: 'http://127.0.0.1:3142',
  publicUrl: 'http://192.0.2.10:3142',
  afterMs: 21_000,
  clients: 'private networks',
  nextRefreshAt: Date.now() + 47 * 60_000,
}

t.test('a first start tells what was made, read, fetched and left out', async (t) => {
  const date = Math.floor((Date.now() - 13 * day) / 1000)
  const lines = printed([
    opened,
    { kind: 'token', path: '/srv/var/token' },
    {
      kind: 'imported',
      files: ['/etc/apt/sources.list'],
      archives: [
        {
          name: 'debian',
          url: 'http://archive.example/debian',
          suites: ['bookworm', 'bookworm-updates'],
          components: ['main'],
          architectures: ['amd64'],
          hasSources: true,
        },
      ],
      leftOut: [{ what: 'deb …/debian ./', reason: 'it names no host' }],
    },
    {
      kind: 'refresh',
      event: { kind: 'suite', ...suite, signers: ['Key <k@archive.example>'], date },
    },
    {
      kind: 'refresh',
      event: { kind: 'index', ...suite, path: 'main/x', sizeBytes: 8_900_000, done: 1, total: 1 },
    },
    {
      kind: 'outcome',
      outcome: {
        ...suite,
        kind: 'changed',
        packages: 63_440,
        sources: 34_217,
        skipped: [],
        durationMs: 4100,
      },
    },
    {
      kind: 'key',
      publication: 'channel:testing',
      fingerprint: '9f3c51d2aabb',
      path: '/srv/var/keys',
    },
    {
      kind: 'channel',
      name: 'approved',
      serial: 1,
      packages: 63_440,
      channelKind: 'curated',
      follows: [],
    },
    ready,
  ])
  t.equal(lines[0], 'sluice 0.1.0, data in ./var (new), Node 24.21.0')
  t.match(lines[1], /^made {5}admin token {4}\/srv\/var\/token, 0600: /)
  t.equal(lines[2], 'read     /etc/apt/sources.list')
  t.match(
    lines[3],
    /^ {11}debian {2}http:\/\/archive\.example\/debian {2}bookworm bookworm-updates {2}main {2}amd64 source$/,
  )
  t.equal(lines[4], '         left out: deb …/debian ./ (it names no host)')
  t.match(
    lines[5],
    /^fetch {4}debian bookworm {5,}signed by "Key" 13 days ago, 63,440 packages, 34,217 sources, 8\.9 MB, 4\.1 s$/,
  )
  t.match(lines[6], /^made {5}signing key {4}testing {3}ed25519 9F3C 51D2 …/)
  t.match(
    lines[7],
    /^channel {2}approved {2}generation 1 .* ONLY when you promote, security fixes too$/,
  )
  t.match(
    lines[8],
    /^ready {4}http:\/\/192\.0\.2\.10:3142 {2}after 21 s, clients from private networks; next look upstream in 47 min; stop with Ctrl-C$/,
  )
  t.equal(lines.length, 9)
})

t.test('a later start has two lines, whatever is told on the way', async (t) => {
  const again = { ...opened, isNew: false, archives: 2, channels: 2 }
  const key: StartEvent = { kind: 'key', publication: 'channel:x', fingerprint: 'ab', path: 'k' }
  const lines = printed([again, key, { ...ready, afterMs: 300 }])
  t.equal(lines[0], 'sluice 0.1.0, data in ./var: 2 archives, 2 channels, ready after 0.3 s')
  t.match(lines[1], /^http:\/\/192\.0\.2\.10:3142, clients from private networks; next look/)
  t.equal(lines.length, 2)
})

t.test('a suite that could not be had is told with its reason and the next step', async (t) => {
  const problem = {
    code: 'ERR_RELEASE_EXPIRED',
    message: 'bookworm: Release expired on …',
    hint: 'if it is meant to stand still: sluice archive set debian --allow-expired',
    since: Date.now(),
  }
  const outcome = { ...suite, kind: 'failed', problem, skipped: [], durationMs: 9 } as const
  t.same(printed([opened, { kind: 'outcome', outcome }]).slice(1), [
    'failed   debian bookworm: Release expired on …',
    '         hint: if it is meant to stand still: sluice archive set debian --allow-expired',
  ])
})
