/**
 * Files on their way in: one sends at a time, and what is left behind goes file by file.
 */
import { readdir, stat, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import t from 'tap'
import { openPartFiles } from '../../src/store/part-files.ts'
import { testDir } from '../support/test-dir.ts'

const maxBytes = 1000
const name = { folder: 'one', file: 'a_1_all.deb' }

t.test('who comes while one is sent is told so; who comes when it is read waits', async (t) => {
  const files = openPartFiles(testDir(t))
  const first = Promise.withResolvers<Buffer>()
  const sent = Promise.withResolvers<void>()
  const read = Promise.withResolvers<void>()
  async function* slowly(): AsyncGenerator<Buffer> {
    yield await first.promise
  }
  const one = files.hold(name, async (append) => {
    await append(slowly(), { offset: 0, maxBytes })
    sent.resolve()
    await read.promise
    return (await stat(files.path(name))).size
  })
  const again = (text: string): Promise<number> =>
    files.hold(name, (append) =>
      append(Readable.from([Buffer.from(text)]), { offset: 0, maxBytes }),
    )
  await t.rejects(again('no'), { code: 'ERR_CONFLICT' })
  first.resolve(Buffer.from('first'))
  await sent.promise
  const two = again('second one')
  read.resolve()
  t.equal(await one, 5, 'nobody wrote to it while it was read')
  t.equal(await two, 10)
})

t.test('what is too long leaves nothing, and its source is not destroyed', async (t) => {
  const dir = testDir(t)
  const files = openPartFiles(dir)
  const source = Readable.from([Buffer.alloc(600), Buffer.alloc(600), Buffer.alloc(600)])
  await t.rejects(
    files.hold(name, (append) => append(source, { offset: 0, maxBytes })),
    { code: 'ERR_TOO_LARGE' },
  )
  t.equal(source.destroyed, false)
  t.same(await readdir(dir), [])
})

t.test('it is asked time and again whether more may come', async (t) => {
  const files = openPartFiles(testDir(t))
  const asked: number[] = []
  const mayGrow = async (size: number): Promise<void> => {
    asked.push(size)
    if (asked.length === 2) throw new Error('no room')
  }
  const pieces = Array.from({ length: 100 }, () => Buffer.alloc(1024 * 1024))
  const appending = { offset: 0, maxBytes: 2 ** 30, mayGrow }
  await t.rejects(
    files.hold(name, (append) => append(Readable.from(pieces), appending)),
    { message: 'no room' },
  )
  t.same(asked, [33 * 1024 * 1024, 66 * 1024 * 1024])
  t.equal(await files.size(name), 65 * 1024 * 1024, 'what came before stays')
})

t.test('what nobody goes on with is swept file by file', async (t) => {
  const dir = testDir(t, { one: { old: '1', young: '2' }, two: { old: '3' } })
  const past = new Date('2001-09-09T01:46:40Z')
  for (const file of ['one/old', 'two/old']) await utimes(join(dir, file), past, past)
  t.equal(await openPartFiles(dir).sweep(past.getTime() + 1000), 2)
  t.same(await readdir(dir), ['one'])
  t.same(await readdir(join(dir, 'one')), ['young'])
})

t.test('a folder that somebody else removes meanwhile is made again', async (t) => {
  const dir = testDir(t)
  const files = openPartFiles(dir)
  const all = Array.from({ length: 200 }, (_, at) => ({ folder: 'one', file: `f${at}` }))
  await Promise.all(
    all.map(async (one) => {
      await files.hold(one, (append) =>
        append(Readable.from([Buffer.from('x')]), { offset: 0, maxBytes }),
      )
      await files.remove(one)
    }),
  )
  t.same(await readdir(dir), [])
})
