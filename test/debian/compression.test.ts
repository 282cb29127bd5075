/** Reading what gzip, xz, bzip2 and zstd made, whole, damaged and hostile; members that gzip itself accepts. */
import { createReadStream } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setImmediate, setTimeout } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { isAppError } from '../../src/base/errors.ts'
import {
  type Compression,
  compressionOf,
  decompress,
  decompressTo,
  gunzipMember,
  gzipMember,
  letGo,
} from '../../src/debian/compression.ts'
import { runOk } from '../support/run.ts'
import { testDir } from '../support/test-dir.ts'
import { readRealIndex } from './real-index.ts'

const kinds = ['gz', 'xz', 'bz2', 'zst'] as const
const programs: Readonly<Record<(typeof kinds)[number], string>> = {
  gz: 'gzip -9n',
  xz: 'xz -6',
  bz2: 'bzip2 -1',
  zst: 'zstd -q',
}
const roomy = { max: 100_000_000 }

/** Text that is neither random nor of one kind: 600 kB of the real index. */
const plain = (await readRealIndex()).subarray(0, 600_000)

async function compressed(t: Test, kind: (typeof kinds)[number], data: Buffer): Promise<Buffer> {
  const file = join(testDir(t), `plain-${kind}`)
  await writeFile(file, data)
  await runOk('sh', ['-c', `${programs[kind]} -c "$1" > "$1.out"`, 'sh', file])
  return await readFile(`${file}.out`)
}

async function* inPieces(data: Buffer, size = 10_007): AsyncGenerator<Buffer> {
  for (let at = 0; at < data.length; at += size) yield data.subarray(at, at + size)
}

/** What becomes of reading it: the code of the error, or whether it is the plain text. */
async function outcome(kind: Compression, data: Buffer, size = roomy): Promise<string> {
  try {
    const found = await decompressTo(kind, inPieces(data), size, {})
    return found.equals(plain) ? 'plain' : 'other'
  } catch (error) {
    return isAppError(error) ? error.code : String(error)
  }
}

for (const kind of kinds) {
  t.test(`${kind} is read as its program wrote it, and nothing else is`, async (t) => {
    const data = await compressed(t, kind, plain)
    t.equal(await outcome(kind, data), 'plain', 'size not known')
    const read = (expected: number, max = roomy.max) =>
      decompressTo(kind, inPieces(data), { expected, max }, {})
    t.ok((await read(plain.length)).equals(plain), 'size known')
    await t.rejects(read(plain.length - 1), { code: 'ERR_SIZE_MISMATCH' }, 'more than expected')
    await t.rejects(read(plain.length + 1), { code: 'ERR_SIZE_MISMATCH' }, 'less than expected')
    await t.rejects(read(plain.length, 1000), { code: 'ERR_TOO_LARGE' }, 'more than allowed')
    t.equal(await outcome(kind, data, { max: plain.length - 1 }), 'ERR_TOO_LARGE')
    t.equal(await outcome(kind, data, { max: plain.length }), 'plain')

    const twice = Buffer.concat([data, data])
    const both = await decompressTo(kind, inPieces(twice), roomy, {})
    t.ok(both.equals(Buffer.concat([plain, plain])), 'two in a row are read as one')

    const cuts = [0, 1, 5, 20, data.length >> 1, data.length - 5, data.length - 1]
    for (const cut of cuts) {
      t.equal(await outcome(kind, data.subarray(0, cut)), 'ERR_FORMAT', `cut at ${cut}`)
    }
    t.equal(
      await outcome(kind, Buffer.concat([data, Buffer.from('junk, and more of it')])),
      'ERR_FORMAT',
    )
    for (const at of [0, data.length >> 2, data.length >> 1, data.length - 6]) {
      const flipped = Buffer.from(data)
      flipped[at] = (flipped[at] ?? 0) ^ 0x10
      t.equal(await outcome(kind, flipped), 'ERR_FORMAT', `a bit flipped at ${at}`)
    }
    t.equal(await outcome(kind, Buffer.from('<html>not at all</html>')), 'ERR_FORMAT')
  })

  t.test(`${kind}: errors of the source and an abort stay what they are`, async (t) => {
    const data = await compressed(t, kind, plain)
    async function* failing(): AsyncGenerator<Buffer> {
      yield data.subarray(0, 5000)
      throw new RangeError('the line is down')
    }
    for (let turn = 0; turn < 5; turn += 1) {
      const reading = decompressTo(kind, failing(), roomy, {})
      await t.rejects(reading, { name: 'RangeError', message: 'the line is down' })
    }
    const controller = new AbortController()
    const { signal } = controller
    async function* hanging(): AsyncGenerator<Buffer> {
      yield data.subarray(0, 5000)
      controller.abort()
      await setTimeout(60_000, undefined, { ref: false })
    }
    await t.rejects(decompressTo(kind, hanging(), roomy, { signal }), { name: 'AbortError' })
  })
}

t.test('plain bytes pass as they are', async (t) => {
  t.equal(await outcome('none', plain), 'plain')
  t.equal(await outcome('none', plain, { max: 10 }), 'ERR_TOO_LARGE')
})

t.test('frames of pzstd are read as one file', async (t) => {
  const file = join(testDir(t), 'plain')
  await writeFile(file, plain)
  await runOk('pzstd', ['-q', '-p', '2', file, '-o', `${file}.zst`])
  const data = await readFile(`${file}.zst`)
  t.equal(await outcome('zst', data), 'plain')
  t.equal(await outcome('zst', data.subarray(0, -3)), 'ERR_FORMAT')
})

t.test('a small file that unpacks to 300 MB takes little memory to refuse', async (t) => {
  const dir = testDir(t)
  const bombs = { xz: 'xz -1', zst: 'zstd -q -1', gz: 'gzip -1' }
  for (const [kind, program] of Object.entries(bombs)) {
    const file = join(dir, `bomb.${kind}`)
    await runOk('sh', ['-c', `head -c 300000000 /dev/zero | ${program} > "$1"`, 'sh', file])
    const before = process.memoryUsage().rss
    const reading = decompressTo(
      compressionOf(file),
      createReadStream(file),
      { max: 10_000_000 },
      {},
    )
    await t.rejects(reading, { code: 'ERR_TOO_LARGE' })
    const megabytes = (process.memoryUsage().rss - before) / 1e6
    t.ok(megabytes < 100, `${kind}: ${megabytes.toFixed(0)} MB more`)
  }
})

t.test('who stops reading early leaves nothing running', async (t) => {
  for (const kind of kinds) {
    const data = await compressed(t, kind, plain)
    let isClosed = false
    async function* source(): AsyncGenerator<Buffer> {
      try {
        for (;;) yield* inPieces(data)
      } finally {
        isClosed = true
      }
    }
    for await (const piece of decompress(kind, source(), {})) {
      if (piece.length > 0) break
    }
    while (!isClosed) await setImmediate()
    t.ok(isClosed, kind)
  }
})

t.test('the extension tells the compression', async (t) => {
  const names = ['Packages', 'Packages.gz', 'a/b.xz', 'x.bz2', 'y.zst', 'Release.gpg', 'a.gz/b']
  t.same(names.map(compressionOf), ['none', 'gz', 'xz', 'bz2', 'zst', 'none', 'none'])
  t.equal(compressionOf('x.constructor'), 'none')
})

t.test(
  'gzip members are always the same bytes, and gzip reads them one after the other',
  async (t) => {
    const parts = [plain.subarray(0, 50_000), plain.subarray(50_000, 120_000), Buffer.alloc(0)]
    const members = await Promise.all(parts.map(gzipMember))
    t.same(await Promise.all(parts.map(gzipMember)), members)
    t.same(members[0]?.subarray(0, 10), Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 2, 0xff]))
    const file = join(testDir(t), 'members.gz')
    await writeFile(file, Buffer.concat(members))
    await runOk('gzip', ['-t', file])
    const { stdout } = await runOk('gzip', ['-dc', file])
    t.ok(Buffer.from(stdout).equals(Buffer.concat(parts)))
  },
)

t.test('a member is unpacked within a limit', async (t) => {
  const part = plain.subarray(0, 50_000)
  const member = await gzipMember(part)
  t.ok((await gunzipMember(member, 50_000)).equals(part))
  await t.rejects(gunzipMember(member, 49_999), { code: 'ERR_TOO_LARGE' })
  await t.rejects(gunzipMember(member.subarray(0, -1), 50_000), { code: 'ERR_FORMAT' })
  await t.rejects(gunzipMember(Buffer.from('no gzip'), 50_000), { code: 'ERR_FORMAT' })
  t.equal((await gunzipMember(await gzipMember(Buffer.alloc(0)), 0)).length, 0)
})

t.test('memory that is let go at once changes nothing of what comes after', async (t) => {
  for (const [kind, size] of [
    ...kinds.map((kind) => [kind, 10_007] as const),
    ['gz', 1_000_000] as const,
  ]) {
    const packed = await compressed(t, kind, plain)
    const copies: Buffer[] = []
    let free = 0
    for await (const piece of decompress(kind, inPieces(packed, size), {})) {
      copies.push(Buffer.from(piece))
      letGo(kind, piece)
      if (piece.length === 0) free += 1
    }
    t.ok(Buffer.concat(copies).equals(plain), `${kind} in pieces of ${size}`)
    t.equal(free > 0, kind === 'gz')
  }
})
