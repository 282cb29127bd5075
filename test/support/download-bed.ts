/**
 * What download tests work with: a real store in the test's folder, one or two mirrors of the same files, and the
 * downloads between them.
 */
import { createHash, randomBytes } from 'node:crypto'
import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Test } from 'tap'
import {
  createDownloads,
  type DownloadParts,
  type Downloads,
  type Source,
  type Wanted,
} from '../../src/archives/download.ts'
import { createUpstream, type UpstreamOptions } from '../../src/archives/upstream.ts'
import type { Clock } from '../../src/base/clock.ts'
import { type Sha256, sha256Of } from '../../src/base/sha256.ts'
import { type BlobStore, blobMigrations, openBlobStore } from '../../src/store/blobs.ts'
import { closeDatabase, openDatabase } from '../../src/store/database.ts'
import { testDir } from './test-dir.ts'
import { startUpstream, type TestUpstream } from './upstream-server.ts'

export interface DownloadBed {
  readonly downloads: Downloads
  readonly blobs: BlobStore
  /** Two mirrors of the same folder. */
  readonly first: TestUpstream
  readonly second: TestUpstream
  /** A random file on both mirrors, as an index would name it. */
  file(name: string, size: number): Promise<TestFile>
  /** Names of the temp files that the store has now. */
  tempFiles(): Promise<string[]>
}

export interface TestFile {
  readonly data: Buffer
  readonly wanted: Wanted
  readonly path: string
  /** On the first mirror, on the second, on both. */
  readonly one: Source
  readonly other: Source
  readonly both: Source
}

export interface BedOptions {
  readonly upstream?: UpstreamOptions
  readonly clock?: Clock
  /** Stands between the downloads and the real store. */
  readonly wrap?: (blobs: BlobStore) => BlobStore
  readonly log?: DownloadParts['log']
  readonly rivalAfterMs?: number
  readonly parallelRanges?: number
  readonly breakPatienceMs?: number
}

/** Makes the bed; all of it ends with the test. */
export async function makeDownloadBed(t: Test, options: BedOptions = {}): Promise<DownloadBed> {
  // Before the folder is made, so that it is removed after all handlers (see test-dir.ts).
  t.teardown(() => {})
  const dir = testDir(t, { mirror: {} })
  const root = join(dir, 'mirror')
  const first = await startUpstream(root)
  const second = await startUpstream(root)
  const db = await openDatabase(join(dir, 'sluice.db'), blobMigrations)
  const blobs = await openBlobStore(db, dir)
  const upstream = createUpstream(options.upstream)
  const downloads = createDownloads({
    blobs: options.wrap?.(blobs) ?? blobs,
    upstream,
    log: options.log,
    rivalAfterMs: options.rivalAfterMs,
    parallelRanges: options.parallelRanges,
    breakPatienceMs: options.breakPatienceMs,
    ...(options.clock === undefined ? {} : { clock: options.clock }),
  })
  t.teardown(async () => {
    await downloads.close({ signal: AbortSignal.abort() })
    await upstream.close()
    await first.close()
    await second.close()
    await closeDatabase(db)
  })
  return {
    downloads,
    blobs,
    first,
    second,
    tempFiles: () => readdir(join(dir, 'tmp')),
    file: async (name, size) => {
      const data = randomBytes(size)
      await mkdir(root, { recursive: true })
      await writeFile(join(root, name), data)
      const [one, two] = [`${first.url}/${name}`, `${second.url}/${name}`]
      return {
        data,
        wanted: { sha256: sha256Of(data), size, label: `${name} 1.0 amd64` },
        path: `/${name}`,
        one: { urls: [one] },
        other: { urls: [two] },
        both: { urls: [one, two] },
      }
    },
  }
}

/** What a reader got: how many bytes, their digest, and the error that ended them. */
export interface ReadResult {
  readonly got: number
  readonly sha256: Sha256
  readonly error: unknown
}

/** Reads to the end, as a client does, and calls `each` after each chunk. */
export async function readAll(
  chunks: AsyncIterable<Buffer>,
  each: (got: number) => void | Promise<void> = () => undefined,
): Promise<ReadResult> {
  const hash = createHash('sha256')
  let got = 0
  let error: unknown
  try {
    for await (const chunk of chunks) {
      hash.update(chunk)
      got += chunk.length
      await each(got)
    }
  } catch (caught) {
    error = caught
  }
  return { got, sha256: hash.digest('hex') as Sha256, error }
}
