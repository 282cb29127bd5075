/**
 * A month of changes at upstream under two policies, by a clock that is steered: each run promotes just what it should and
 * says why of each candidate; what is held, frozen or never to go stays; nothing goes early or twice, though the server is
 * stopped and killed at any point of its runs, is off for days, and its clock leaps on and back.
 *
 * What should be is worked out by test/support/policy-oracle.ts. One month in `npm test`; with SOAK=1 twelve, with more of
 * all that disturbs. SEED repeats one.
 */
import t, { type Test } from 'tap'
import { seededRandom } from '../support/index-parts.ts'
import { checkHistory } from '../support/policy-history.ts'
import {
  askWhy,
  canPublish,
  count,
  expectedOf,
  goTo,
  isSettled,
  type Month,
  meetRuns,
} from '../support/policy-month.ts'
import { type Books, type OraclePolicy, slotFrom } from '../support/policy-oracle.ts'
import { DAY_MS, HOUR_MS, makePolicyWorld, suites } from '../support/policy-world.ts'
import { seedOr } from '../support/seed.ts'

const isSoak = process.env.SOAK === '1'
const first = seedOr(process.env.SEED)
const MONTHS = isSoak && process.env.SEED === undefined ? 12 : 1
const DAYS = 31
const LONGEST_MS = isSoak ? 3_600_000 : 1_700_000
t.setTimeout(MONTHS * LONGEST_MS + 10_000)
const MINUTE_MS = 60_000
const beginning = Date.UTC(2025, 2, 10)
const names = ['linux', 'linux-signed', 'bash', 'glibc', 'hello', 'openssl', 'vim']

const night: OraclePolicy = {
  ...{ name: 'night', from: 'testing', to: 'approved' },
  ...{ hour: 6, isBerlin: true, isOffOnSundays: true },
  rules: [
    { text: 'linux* never', fits: (_suite, source) => source.startsWith('linux') },
    { text: 'security after 1 day', fits: (suite) => suite.endsWith('-security'), after: 1 },
    { text: 'suite *-updates after 3 days', fits: (suite) => suite.endsWith('-updates'), after: 3 },
    { text: 'after 7 days', fits: () => true, after: 7 },
  ],
  freeze: ['2025-03-21', '2025-03-24', true],
}
const noon: OraclePolicy = {
  ...{ name: 'noon', from: 'approved', to: 'lab' },
  ...{ hour: 12, isBerlin: false, isOffOnSundays: false },
  rules: [{ text: 'after 36 hours', fits: () => true, after: 1.5 }],
}

/** Where a server dies in its runs, besides between them. */
const points = [
  'policy: run written down',
  'policy: plan written down',
  'promote: files fetched',
  'promote: states written',
  'publish: before the commit',
  'publish: written, not yet served',
  'publish: served',
  'policy: promoted',
  'policy: run ended',
]

for (let nth = 0; nth < MONTHS; nth++) {
  const seed = first + nth
  t.test(`a month under policies (seed ${seed})`, { timeout: LONGEST_MS }, (t) =>
    liveMonth(t, seed),
  )
}

async function liveMonth(t: Test, seed: number): Promise<void> {
  const random = seededRandom(seed)
  const month = await begin(t)
  const faults = shuffled(points, random)
  const trials: Trials = { random, faults, leaps: new Map(isSoak ? anyLeaps(random) : leaps) }
  for (let day = 1; day <= DAYS && month.wrong.length === 0; day++) {
    await liveDay(month, trials, day)
  }
  await checkHistory(t, month)
  t.same(month.wrong, [])
  t.comment([...month.counts].map(([what, times]) => `${times} ${what}`).join(', '))
}

async function begin(t: Test): Promise<Month> {
  const start: Books = new Map()
  for (const suite of suites)
    for (const name of names) start.set(`${suite} ${name}`, { version: '1', since: beginning })
  const world = await makePolicyWorld(t, beginning, versionsOf(start))
  const zone = { timeZone: 'Europe/Berlin', schedule: '0 6 * * 1-6' }
  const [first = '', last = ''] = night.freeze ?? []
  const freezes = [`${first} to ${last} except security: stocktaking`]
  for (const policy of [
    { ...plain(night), ...zone, freezes },
    { ...plain(noon), schedule: '0 12 * * *' },
  ]) {
    const { error } = await world.api('POST', '/policies', policy)
    if (error !== undefined) throw new Error(error.message)
  }
  const done = { id: 0, doneUntil: world.now(), hasFailed: false }
  return {
    world,
    policies: [night, noon],
    books: new Map(['testing', 'approved', 'lab'].map((name) => [name, new Map(start)])),
    held: new Map([['approved', new Map()]]),
    ...{ peak: world.now(), earliest: world.now() },
    met: new Map([night, noon].map(({ name }) => [name, { ...done }])),
    ...{ went: [], counts: new Map(), wrong: [] },
  }
}

function plain({ name, from, to, rules }: OraclePolicy): object {
  return { name, from, to, rules: rules.map(({ text }) => text) }
}

function versionsOf(books: Books): Map<string, string> {
  return new Map([...books].map(([key, { version }]) => [key, version]))
}

interface Trials {
  readonly random: () => number
  /** Crash points still to come, then again from the first. */
  readonly faults: string[]
  /** On which day the clock leaps, and by how many hours. */
  readonly leaps: Map<number, number>
  /** Whether it surely dies in the run that comes. */
  readonly isFatal?: boolean
}

const leaps = [
  [9, -2],
  [13, 3 * 24],
  [20, -2 * 24],
  [25, -2],
] as const

function anyLeaps(random: () => number): [number, number][] {
  const hours = [-2, -5, -26, -48, 30, 72]
  return Array.from({ length: 6 }, (_, at) => {
    return [3 + at * 4 + Math.floor(random() * 4), hours[Math.floor(random() * hours.length)] ?? 0]
  })
}

function shuffled<T>(list: readonly T[], random: () => number): T[] {
  return list
    .map((one) => ({ one, at: random() }))
    .sort((a, b) => a.at - b.at)
    .map(({ one }) => one)
}

/** From a midnight past the next runs of both policies. */
async function liveDay(month: Month, trials: Trials, day: number): Promise<void> {
  const { world } = month
  const { random } = trials
  const midnight = Math.ceil(world.now() / DAY_MS) * DAY_MS
  await goTo(month, midnight + (1 + Math.floor(random() * 2)) * HOUR_MS + 17 * MINUTE_MS)
  await isSettled(month)
  await meetRuns(month, `day ${day}, at night`)
  await changeHolds(month, day)
  if (day % 10 === 8) await promoteByHand(month)
  await upload(month, random)
  if (random() < (isSoak ? 0.3 : 0.07)) await restart(month, random)

  // Six in Berlin is at four or five.
  const six = slotFrom({ ...night, isOffOnSundays: false }, midnight)
  await goTo(month, six - 9 * MINUTE_MS)
  if (random() < 0.3) await upload(month, random)
  await goTo(month, six - 5 * MINUTE_MS)
  if (day % 2 === 0) await askWhy(month, `day ${day}, before six`)
  await passSlot(month, { ...trials, isFatal: day % 6 === 5 }, six, `day ${day}, at six`)
  if (day % 2 === 1) await askWhy(month, `day ${day}, after six`)

  await goTo(month, six + 8 * MINUTE_MS)
  if (random() < 0.3) await upload(month, random)
  const leap = trials.leaps.get(day)
  if (leap !== undefined) return leapBy(month, leap, `day ${day}, leap of ${leap} hours`)
  await passSlot(month, trials, slotFrom(noon, world.now()), `day ${day}, at noon`)
}

/** Lives through a scheduled time, perhaps with a death in it. */
async function passSlot(
  month: Month,
  { random, faults, isFatal: isSure = false }: Trials,
  slot: number,
  label: string,
): Promise<void> {
  const { world } = month
  const isFatal = isSure || random() < (isSoak ? 0.5 : 0.05)
  const goes = month.policies.some((policy) => {
    const isDue = slotFrom(policy, slot) === slot
    return isDue && [...expectedOf(month, policy, slot).values()].some((one) => one.goesAt === slot)
  })
  if (isFatal && goes && (isSure || random() < 0.8)) {
    const fault = faults.shift() ?? ''
    faults.push(fault)
    await world.stop('SIGKILL')
    await world.start(`kill-at:${fault}`)
    await goTo(month, slot + MINUTE_MS)
    if (await isSettled(month)) month.wrong.push(`${label}: it did not pass ${fault}`)
    count(month, 'killed at points of a run')
    await world.start()
  } else if (isFatal) {
    await goTo(month, slot + MINUTE_MS)
    await new Promise((resolve) => setTimeout(resolve, random() * 60))
    await world.stop('SIGKILL')
    count(month, 'killed at any time of a run')
    if (random() < 0.3) await goTo(month, slot + 3 * MINUTE_MS)
    await world.start()
  } else await goTo(month, slot + MINUTE_MS)
  if (!(await isSettled(month))) month.wrong.push(`${label}: the server is gone`)
  await meetRuns(month, label)
}

async function restart(month: Month, random: () => number): Promise<void> {
  const { world } = month
  const since = world.now()
  const isKilled = random() < 0.5
  await world.stop(isKilled ? 'SIGKILL' : 'SIGTERM')
  count(month, isKilled ? 'killed between runs' : 'stopped')
  if (random() < 0.3) {
    // Off over scheduled times, which one run makes up for.
    count(month, 'off for a day')
    await goTo(month, since + DAY_MS + HOUR_MS / 2)
  }
  await world.start()
  await isSettled(month)
  await meetRuns(month, 'after it was off')
}

async function leapBy(month: Month, hours: number, label: string): Promise<void> {
  const { world } = month
  const since = world.now()
  await goTo(month, since + hours * HOUR_MS)
  count(month, hours < 0 ? 'leaps back' : 'leaps on')
  // What it sees of its own within a minute, it sees at once.
  await world.api('PATCH', '/policies/night', {})
  // What is done for more than a day to come was done by a wrong clock: the schedule begins anew.
  for (const met of month.met.values()) {
    if (met.doneUntil > world.now() + DAY_MS) met.doneUntil = world.now()
  }
  await isSettled(month)
  await meetRuns(month, label)
}

/** Some new versions, of which upstream's Release is of now; not while the clock is wrong and nothing can be followed. */
async function upload(month: Month, random: () => number): Promise<void> {
  const testing = month.books.get('testing')
  if (testing === undefined || !canPublish(month)) return
  for (const [key, { version }] of testing) {
    if (random() > (key.includes('-security') ? 0.06 : 0.09)) continue
    testing.set(key, { version: `${Number(version) + 1}`, since: month.world.now() })
    count(month, 'uploaded')
  }
  await month.world.publish(versionsOf(testing))
}

/** One hold is let go, the other one ends by itself. */
async function changeHolds({ world, held }: Month, day: number): Promise<void> {
  const bash = { channel: 'approved', source: 'bash', reason: 'breaks our shop' }
  const holds = held.get('approved')
  if (day === 5) {
    const until = world.now() + 13 * DAY_MS
    await world.api('POST', '/holds', bash)
    await world.api('POST', '/holds', { ...bash, source: 'vim', until })
    holds?.set('bash', Number.POSITIVE_INFINITY).set('vim', until)
  }
  // When the clock is behind what was signed (see leaps): it is to go and cannot yet.
  if (day === 21) {
    await world.api('DELETE', '/holds', bash)
    holds?.delete('bash')
  }
}

/** What policies never do, somebody does. */
async function promoteByHand(month: Month): Promise<void> {
  const { world, books } = month
  const body = { from: 'testing', to: 'approved', sources: [{ name: 'linux' }], reason: 'tried' }
  const { error } = await world.api('POST', '/promotions', body)
  if (error !== undefined) return
  count(month, 'promoted by hand')
  for (const suite of suites) {
    const key = `${suite} linux`
    const [newest, now] = [books.get('testing')?.get(key), books.get('approved')?.get(key)]
    if (newest === undefined || newest.version === now?.version) continue
    books.get('approved')?.set(key, { ...newest, since: world.now() })
  }
}
