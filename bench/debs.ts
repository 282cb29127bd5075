/**
 * The command that hands in mutated .debs: how many of them are refused for what, whether one takes long or much memory, and
 * where dpkg-deb judges otherwise. See bench/README.md.
 */
import { createReadStream } from 'node:fs'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { bomb } from '../fixtures/bombs.ts'
import { askDpkg } from '../fixtures/deb-judge.ts'
import { createMutator, goodDebs, type Mutation } from '../fixtures/deb-mutations.ts'
import { AppError } from '../src/base/errors.ts'
import { checkDeb } from '../src/debian/check-deb.ts'

const usage = `usage: node bench/debs.ts [--seed S] [--count N] [--judge N] [--real DIR] [--bombs]

hands in mutated .debs
  --seed S     of the mutations (default 1)
  --count N    how many (default 100000)
  --judge N    so many that we take, and as many that we refuse, are given to dpkg-deb (default 500)
  --real DIR   also all .debs of DIR, unchanged
  --bombs      also 10 GB of zeros in each compression, with the default limits`

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    count: { type: 'string', default: '100000' },
    judge: { type: 'string', default: '500' },
    real: { type: 'string' },
    bombs: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})
const slowest = 10_000

interface Outcome {
  /** `taken`, or the reason of the refusal. */
  readonly reason: string
  readonly message: string
  readonly ms: number
}

async function handIn(source: AsyncIterable<Buffer>): Promise<Outcome> {
  const start = performance.now()
  const done = (reason: string, message: string): Outcome => {
    return { reason, message, ms: performance.now() - start }
  }
  try {
    await checkDeb(source, { signal: AbortSignal.timeout(600_000) })
    return done('taken', '')
  } catch (error) {
    const isOurs = error instanceof AppError && typeof error.details?.reason === 'string'
    if (!isOurs || error.hint === undefined) throw error
    return done(String(error.details?.reason), error.message)
  }
}

async function* once(data: Buffer): AsyncGenerator<Buffer> {
  yield data
}

interface Drawn extends Mutation, Outcome {}

/** Draws and hands in; gives those that dpkg-deb is to judge, spread over the run. */
async function draw(dir: string, judged: number): Promise<Drawn[]> {
  const mutator = createMutator(await goodDebs(join(dir, 'good')), Number(values.seed))
  const reasons = new Map<string, number>()
  const kept = { taken: [] as Drawn[], refused: [] as Drawn[] }
  const count = Number(values.count)
  let longest: Drawn | undefined
  const start = performance.now()
  for (let at = 0; at < count; at += 1) {
    const mutation = mutator.next()
    const outcome = await handIn(once(mutation.deb)).catch((error: unknown) => {
      throw new Error(`number ${at} was neither taken nor refused: ${mutation.how}`, {
        cause: error,
      })
    })
    const one = { ...mutation, ...outcome }
    reasons.set(one.reason, (reasons.get(one.reason) ?? 0) + 1)
    if (one.ms > (longest?.ms ?? 0)) longest = one
    if (one.ms > slowest) throw new Error(`number ${at} took ${one.ms} ms: ${one.how}`)
    const list = one.reason === 'taken' ? kept.taken : kept.refused
    if (list.length < judged && (one.reason === 'taken' || wants(reasons, one.reason)))
      list.push(one)
  }
  const seconds = (performance.now() - start) / 1000
  console.log(`${count} handed in within ${seconds.toFixed(1)} s, seed ${values.seed}`)
  console.log(`longest ${longest?.ms.toFixed(0)} ms: ${longest?.how.slice(0, 100)}`)
  console.log(`peak memory ${Math.round(process.resourceUsage().maxRSS / 1024)} MiB`)
  const table = [...reasons].sort((a, b) => b[1] - a[1])
  for (const [reason, times] of table) console.log(`${String(times).padStart(8)}  ${reason}`)
  return [...kept.taken, ...kept.refused]
}

/** Rare reasons are judged as well: each at most a tenth of all. */
function wants(reasons: ReadonlyMap<string, number>, reason: string): boolean {
  return (reasons.get(reason) ?? 0) <= Math.max(10, Number(values.judge) / 10)
}

/** Where dpkg-deb differs, by reason. */
async function judge(dir: string, drawn: readonly Drawn[]): Promise<boolean> {
  const differences = new Map<string, { count: number; example: string }>()
  const counts = { taken: 0, refused: 0, 'taken by us alone': 0, 'refused by us alone': 0 }
  for (const { deb, how, reason, message } of drawn) {
    const { isTaken, said } = await askDpkg(join(dir, 'judge'), deb)
    const isOurs = reason === 'taken'
    counts[isOurs ? 'taken' : 'refused'] += 1
    if (isTaken === isOurs) continue
    counts[isOurs ? 'taken by us alone' : 'refused by us alone'] += 1
    const key = isOurs ? `we take, dpkg-deb ${said}` : `we refuse, dpkg-deb takes: ${reason}`
    const known = differences.get(key) ?? { count: 0, example: isOurs ? how : message }
    differences.set(key, { ...known, count: known.count + 1 })
  }
  console.log(`\ndpkg-deb was asked: ${JSON.stringify(counts)}`)
  for (const [key, { count, example }] of [...differences].sort((a, b) => b[1].count - a[1].count))
    console.log(`${String(count).padStart(6)}  ${key}\n        ${example.slice(0, 160)}`)
  return counts['taken by us alone'] === 0
}

async function handInReal(dir: string): Promise<boolean> {
  let refused = 0
  const names = (await readdir(dir)).filter((name) => name.endsWith('.deb'))
  for (const name of names) {
    const { reason, message } = await handIn(createReadStream(join(dir, name)))
    if (reason === 'taken') continue
    refused += 1
    console.log(`${name}: ${message}`)
  }
  console.log(`\n${names.length} real ones, ${refused} refused`)
  return refused === 0
}

async function handInBombs(): Promise<void> {
  for (const kind of ['gz', 'xz', 'zst'] as const) {
    const deb = await bomb(kind, 10 * 1024 ** 3)
    const { message, ms } = await handIn(once(deb))
    const peak = Math.round(process.resourceUsage().maxRSS / 1024)
    console.log(`${kind}, ${deb.length} bytes: ${message}; ${ms.toFixed(0)} ms, peak ${peak} MiB`)
  }
}

if (values.help) console.log(usage)
else {
  const dir = await mkdtemp(join(tmpdir(), 'sluice-debs-'))
  try {
    const drawn = await draw(dir, Number(values.judge))
    if (values.bombs) await handInBombs()
    const isSound = await judge(dir, drawn)
    const areReal = values.real === undefined || (await handInReal(values.real))
    process.exitCode = isSound && areReal ? 0 : 1
  } finally {
    await rm(dir, { recursive: true })
  }
}
