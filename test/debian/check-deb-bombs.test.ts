/** .debs that would eat this machine: each refused after the bytes that its limits let through, in flat memory. */
import t from 'tap'
import { type BombKind, bomb, greedyXz, greedyZstd, manyEmpty } from '../../fixtures/bombs.ts'
import { oddDeb } from '../../fixtures/odd-debs.ts'
import { checkDeb, checkLimits } from '../../src/debian/check-deb.ts'

const kinds: readonly BombKind[] = ['gz', 'xz', 'zst']
const limits = {
  ...checkLimits,
  maxDataBytes: 64 * 1024 ** 2,
  maxEntries: 1000,
  maxPathChars: 10_000,
}
const tenGigabytes = 10 * 1024 ** 3

/** As a network brings it. */
async function* inPieces(data: Buffer): AsyncGenerator<Buffer> {
  for (let at = 0; at < data.length; at += 16_384) yield data.subarray(at, at + 16_384)
}

async function refusal(deb: Buffer): Promise<{ code?: string; message?: string }> {
  return checkDeb(inPieces(deb), { limits }).then(
    () => ({}),
    (error) => ({ code: error.code, message: error.message }),
  )
}

t.test('10 GB in some hundred kilobytes are refused at the limit', async (t) => {
  const before = process.memoryUsage().rss
  for (const kind of kinds) {
    const deb = await bomb(kind, tenGigabytes)
    t.ok(deb.length < 12_000_000)
    t.match(await refusal(deb), {
      code: 'ERR_TOO_LARGE',
      message: `data.tar.${kind}: more than 67108864 bytes unpacked`,
    })
    const inControl = await refusal(await bomb(kind, tenGigabytes, 'control'))
    t.match(inControl, { code: 'ERR_TOO_LARGE', message: /control is larger than 1048576/ })
  }
  const grown = process.memoryUsage().rss - before
  t.ok(grown < 250_000_000, `memory grew by ${grown}`)
})

t.test('decoders are not asked for more memory or turns than a package needs', async (t) => {
  const xz = await refusal(await greedyXz())
  t.match(xz, { code: 'ERR_TOO_LARGE', message: /needs a dictionary of 4294967295 bytes/ })
  t.match(await refusal(greedyZstd()), { code: 'ERR_PACKAGE', message: /too much memory/ })
  const streams = await refusal(await manyEmpty('xz', 60_000))
  t.match(streams, { code: 'ERR_TOO_LARGE', message: /streams and blocks/ })
  const frames = await refusal(await manyEmpty('zst', 20_000))
  t.match(frames, { code: 'ERR_TOO_LARGE', message: /more than 10000 frames/ })
  t.match(await refusal(await manyEmpty('gz', 20_000)), { code: 'ERR_PACKAGE' })
})

t.test('too many files, directories or characters are refused', async (t) => {
  const many = Array.from({ length: 1001 }, (_, at) => ({ name: `./f${at}` }))
  const again = Array.from({ length: 1001 }, () => ({ name: './usr/', flag: '5' }))
  const deep = Array.from({ length: 60 }, (_, at) => ({ name: `./${at}/${'d/'.repeat(30)}f` }))
  const long = Array.from({ length: 200 }, (_, at) => ({ name: `./${'x'.repeat(80)}${at}` }))
  for (const entries of [many, again, deep, long])
    t.match(await refusal(oddDeb({ entries, pack: 'gz' })), { code: 'ERR_TOO_LARGE' })
})

t.test('fields made to keep patterns busy are refused at once', async (t) => {
  const long = 400_000
  const values: Record<string, string> = {
    Source: `${'('.repeat(long)} x`,
    Depends: `a (${' '.repeat(long)}!`,
    Maintainer: `<${'@'.repeat(long)}`,
    Recommends: 'a,'.repeat(long),
    Version: '1-'.repeat(long),
  }
  for (const [field, value] of Object.entries(values)) {
    const base = 'Package: ab\nArchitecture: all\nDescription: x\n'
    const rest = ['Version: 1', 'Maintainer: x'].filter((line) => !line.startsWith(field))
    const control = `${base}${rest.map((line) => `${line}\n`).join('')}${field}: ${value}\n`
    t.match(
      await refusal(oddDeb({ control })),
      { message: new RegExp(`^control, ${field}: `) },
      field,
    )
  }
  const lines = await refusal(oddDeb({ control: 'A: b\n'.repeat(100_000) }))
  t.match(lines, { code: 'ERR_TOO_LARGE', message: /more than 10000 lines/ })
})
