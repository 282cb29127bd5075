/**
 * Which patches are made, kept, and used again, over a database without a server.
 */
import { Readable } from 'node:stream'
import { gunzipSync } from 'node:zlib'
import t, { type Test } from 'tap'
import { buildIndex } from '../../src/archives/index-build.ts'
import { chunksAt } from '../../src/archives/index-parts.ts'
import { openIndexText } from '../../src/archives/index-text.ts'
import { type Sha256, sha256Of } from '../../src/base/sha256.ts'
import { describeIndex, type IndexForms } from '../../src/channels/index-forms.ts'
import {
  deletePdiffsOfReleases,
  findPdiffs,
  isPdiffIndex,
  listPdiffIndexes,
  listPdiffRoots,
  pdiffBlobsOfReleases,
  savePdiffs,
} from '../../src/channels/pdiff-table.ts'
import { createPdiffMaker, type PdiffDraft } from '../../src/channels/pdiffs.ts'
import { type PdiffIndex, parsePdiffIndex } from '../../src/debian/pdiff.ts'
import { putRows } from '../../src/store/blobs.ts'
import { inTransaction } from '../../src/store/database.ts'
import { openIndexParts, packagesText, seededRandom } from '../support/index-parts.ts'
import { testDir } from '../support/test-dir.ts'

type Parts = Awaited<ReturnType<typeof openIndexParts>>

const indexPath = 'main/binary-amd64/Packages'

interface Bed {
  readonly parts: Parts
  /** The index whose packages have these versions; others have 1. */
  index(versions: Readonly<Record<string, string>>): Promise<IndexForms>
  /** What a publication (1 unless told) would list beside the index. */
  draft(forms: IndexForms, publicationId?: number): Promise<PdiffDraft>
  /** Writes that as its next Release, and says what it lists. */
  publish(forms: IndexForms, publicationId?: number): Promise<Published>
}

interface Published {
  readonly releaseId: number
  readonly index: PdiffIndex | undefined
}

async function makeBed(t: Test, count = 1000): Promise<Bed> {
  const parts = await openIndexParts(testDir(t))
  t.teardown(() => parts.close())
  let maker = createPdiffMaker(parts)
  let releaseId = 0
  const at = (publicationId: number) => ({ publicationId, archive: 'nut', suite: 'stable' })
  const draft: Bed['draft'] = (forms, publicationId = 1) => {
    // As after a restart: nothing may depend on what is remembered.
    maker = createPdiffMaker(parts)
    return maker.draft(at(publicationId), new Map([[`${indexPath}.gz`, forms]]))
  }
  return {
    parts,
    draft,
    index: async (versions) => {
      const names = Array.from({ length: count }, (_, nth) => `pkg${nth}`)
      const packages = names.map((name) => ({ name, version: versions[name] ?? '1' }))
      const scratch = await openIndexText(parts.blobs.tempPath())
      await scratch.append(Readable.from([packagesText(packages)]))
      const { root } = await buildIndex(parts, scratch, { kind: 'Packages', archiveId: 1 })
      await scratch.close()
      return describeIndex(parts, root)
    },
    publish: async (forms, publicationId = 1) => {
      const { all, blobs } = await draft(forms, publicationId)
      releaseId++
      await inTransaction(parts.db, async (trx) => {
        await putRows(trx, blobs)
        await savePdiffs(trx, { ...at(publicationId), releaseId }, all)
      })
      const listed = (await listPdiffIndexes(parts.db, releaseId)).get(`${indexPath}.diff/Index`)
      const text = listed && String(await parts.blobs.read(listed.sha256))
      return { releaseId, index: text === undefined ? undefined : parsePdiffIndex(text) }
    },
  }
}

async function forget({ db }: Parts, digest: Sha256): Promise<void> {
  const tables = db.withTables<{ blob: { sha256: Buffer } }>()
  await tables.deleteFrom('blob').where('sha256', '=', Buffer.from(digest, 'hex')).execute()
}

function fromsOf({ index }: Published): (Sha256 | undefined)[] {
  return index?.patches.map(({ from }) => from.sha256) ?? []
}

t.test(
  'an Index lists what was served before, oldest first, and tells digests of all',
  async (t) => {
    const { parts, index, publish } = await makeBed(t)
    const indexes = [
      await index({}),
      await index({ pkg1: '2' }),
      await index({ pkg1: '2', pkg2: '2' }),
    ]
    const [first, second, third] = indexes
    if (first === undefined || second === undefined || third === undefined) throw new Error('none')
    t.equal((await publish(first)).index, undefined, 'the first has none')
    t.same(fromsOf(await publish(second)), [first.plain.sha256])
    const last = await publish(third)
    t.same(fromsOf(last), [first.plain.sha256, second.plain.sha256])
    t.same(last.index?.current, third.plain)
    for (const { name, patch, download } of last.index?.patches ?? []) {
      const data = await parts.blobs.read(download.sha256)
      const plain = gunzipSync(data)
      t.same(download.size, data.length)
      t.same(patch, { sha256: sha256Of(plain), size: plain.length })
      t.match((await findPdiffs(parts.db, [name])).get(name), { gz: download, patch })
    }
    t.same(
      (await listPdiffRoots(parts.db)).toSorted(),
      indexes.map(({ root }) => root).toSorted(),
      'what the next patches start from',
    )
  },
)

t.test('no more than twenty, none twice, and never the current one', async (t) => {
  const { index, publish } = await makeBed(t)
  const forms: IndexForms[] = []
  for (let at = 0; at < 23; at++) forms.push(await index({ [`pkg${at}`]: '2' }))
  for (const one of forms) await publish(one)
  const [first, second] = forms
  const last = forms.at(-1)
  if (first === undefined || second === undefined || last === undefined) throw new Error('none')
  const back = fromsOf(await publish(second))
  t.equal(back.length, 20)
  t.equal(back.at(-1), last.plain.sha256, 'the one before is the newest')
  t.notOk(back.includes(second.plain.sha256))
  const again = fromsOf(await publish(last))
  t.equal(new Set(again).size, 20)
  t.equal(again.at(-1), second.plain.sha256)
})

t.test('a patch that was made is used again, by every publication', async (t) => {
  const { index, publish, draft } = await makeBed(t)
  const [old, fresh] = [await index({}), await index({ pkg7: '2' })]
  await publish(old)
  const made = await publish(fresh)
  t.equal((await draft(fresh)).blobs.length, 1, 'signed anew: the Index alone')
  t.same((await publish(fresh)).index, made.index)
  await publish(old, 2)
  t.equal((await draft(fresh, 2)).blobs.length, 1)
  t.same((await publish(fresh, 2)).index, made.index)
})

t.test('patches go with the last Release that lists them', async (t) => {
  const { parts, index, publish } = await makeBed(t)
  const { db } = parts
  const [old, fresh, fresher] = [
    await index({}),
    await index({ pkg7: '2' }),
    await index({ pkg8: '2' }),
  ]
  await publish(old)
  const one = await publish(fresh)
  const like = await publish(fresh)
  const other = await publish(fresher)
  const name = one.index?.patches[0]?.name ?? ''
  const [digest] = await pdiffBlobsOfReleases(db, [one.releaseId])
  t.equal((await pdiffBlobsOfReleases(db, [one.releaseId])).length, 2, 'an Index and a patch')
  t.equal((await pdiffBlobsOfReleases(db, [one.releaseId, like.releaseId, 99])).length, 2)
  t.equal((await pdiffBlobsOfReleases(db, [like.releaseId, other.releaseId])).length, 5)

  await deletePdiffsOfReleases(db, [one.releaseId])
  t.equal((await pdiffBlobsOfReleases(db, [like.releaseId])).length, 2, 'the same are listed still')
  await deletePdiffsOfReleases(db, [like.releaseId, 99])
  t.same(await pdiffBlobsOfReleases(db, [one.releaseId, like.releaseId]), [])
  t.equal((await findPdiffs(db, [name])).size, 0)
  t.notOk(digest === undefined || (await isPdiffIndex(db, digest)))
  t.equal(
    (await pdiffBlobsOfReleases(db, [other.releaseId])).length,
    3,
    'another one keeps its own',
  )
  t.same(fromsOf(await publish(fresh)), [old.plain.sha256, fresher.plain.sha256], 'made anew')
})

t.test('a patch whose file is gone is made anew', async (t) => {
  const { parts, index, publish } = await makeBed(t)
  const [old, fresh] = [await index({}), await index({ pkg7: '2' })]
  await publish(old)
  const made = await publish(fresh)
  for (const { download } of made.index?.patches ?? []) await forget(parts, download.sha256)
  const again = await publish(fresh)
  t.same(again.index, made.index)
  for (const { download } of again.index?.patches ?? [])
    t.ok(await parts.blobs.has(download.sha256))
})

t.test('where an older index is not kept any more, history ends', async (t) => {
  const { parts, index, publish } = await makeBed(t)
  const [gone, old, fresh] = [
    await index({ pkg7: '0' }),
    await index({}),
    await index({ pkg7: '2' }),
  ]
  await publish(gone)
  await publish(old)
  const kept = new Set(
    [...(await chunksAt(parts, old.root)), ...(await chunksAt(parts, fresh.root))].map(
      ({ member }) => member,
    ),
  )
  for (const { member } of await chunksAt(parts, gone.root)) {
    if (!kept.has(member)) await forget(parts, member)
  }
  // The scratch files of texts begin empty with each process.
  const emptied = { ...parts, texts: { ...parts.texts, get: async () => undefined } }
  const maker = createPdiffMaker(emptied)
  const at = { publicationId: 1, archive: 'nut', suite: 'stable' }
  const { all } = await maker.draft(at, new Map([[`${indexPath}.gz`, fresh]]))
  t.same(
    all[0]?.served?.map(({ root }) => root),
    [fresh.root, old.root],
  )
  t.equal(all[0]?.listed?.patches.length, 1)
})

t.test('of a small index there are no more patches than are worth it', async (t) => {
  const { index, publish } = await makeBed(t, 40)
  const random = seededRandom(1)
  for (let at = 0; at < 8; at++) {
    const forms = await index({ pkg1: String(random()) })
    const published = await publish(forms)
    const indexBytes = (published.index?.patches.length ?? 0) * 330
    t.ok(indexBytes <= forms.gz.size / 4, `${indexBytes} of ${forms.gz.size}`)
  }
})
