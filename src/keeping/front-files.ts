/**
 * The indexes that channels serve, written whole for a web server in front (setting `front-files`):
 *
 *   DATA/front/by-hash/<SHA-256>
 *
 * Only what is called by its digest lies there, so that nobody ever mixes files of two generations, and nothing has to be
 * swapped: after each flip of a head what is new is written, and what no head names any more goes. A file under its name
 * is whole, also after a power cut. All of it can be made again: who does not find a file asks this server.
 */
import { mkdir, open, readdir, rename, rm, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { digestTime } from '../archives/answer.ts'
import type { Abortable } from '../base/abortable.ts'
import { AppError, toAppError } from '../base/errors.ts'
import { crashPoint } from '../base/fault.ts'
import type { Log } from '../base/log.ts'
import { type Sha256, sha256Stream } from '../base/sha256.ts'
import type { ChannelParts } from '../channels/channel-parts.ts'
import { openComposite } from '../channels/composite.ts'
import type { IndexForms } from '../channels/index-forms.ts'

const PIECE_BYTES = 256 * 1024

export interface FrontFiles {
  /** Begins to follow the heads. */
  start(): void
  stop(): Promise<void>
}

/** Follows the heads, with files in `dataDir`. */
export function createFrontFiles(parts: ChannelParts, dataDir: string, log: Log): FrontFiles {
  const dir = join(dataDir, 'front', 'by-hash')
  const stopping = new AbortController()
  const { signal } = stopping
  const follow = async (): Promise<void> => {
    while (!signal.aborted) {
      // A head that flips meanwhile rings too.
      const flip = parts.views.flips.wait(signal)
      await layOutHeads(parts, dir, { signal }).catch((error: unknown) => {
        const { code, message } = toAppError(error)
        if (!signal.aborted) log.warn({ code, problem: message }, 'files for a front not written')
      })
      await flip
    }
  }
  let following: Promise<void> | undefined
  return {
    start: () => {
      following ??= follow()
    },
    stop: async () => {
      stopping.abort()
      await following
    },
  }
}

/** Takes away what an earlier server wrote for a front. */
export async function removeFrontFiles(dataDir: string): Promise<void> {
  await rm(join(dataDir, 'front'), { recursive: true, force: true })
}

/** Writes what the heads name and is not there, then deletes what they do not. */
export async function layOutHeads(
  parts: ChannelParts,
  dir: string,
  { signal }: Abortable = {},
): Promise<void> {
  await mkdir(dir, { recursive: true })
  const wanted = new Map<string, IndexForms>()
  for (const { suites } of parts.views.heads()) {
    for (const { indexes } of suites) {
      for (const forms of indexes.values()) wanted.set(forms.gz.sha256, forms)
    }
  }
  const have = new Set(await readdir(dir))
  for (const [name, forms] of wanted) {
    signal?.throwIfAborted()
    if (!have.has(name)) await writeIndex(parts, dir, forms, { signal })
  }
  for (const name of have) if (!wanted.has(name)) await rm(join(dir, name), { force: true })
}

async function writeIndex(
  parts: ChannelParts,
  dir: string,
  { root, gz }: IndexForms,
  { signal }: Abortable,
): Promise<void> {
  const tmp = parts.blobs.tempPath()
  try {
    await writeTemp(parts, tmp, { root, gz }, { signal })
    // Last-Modified, as this server says it.
    const seconds = digestTime(gz.sha256)
    await utimes(tmp, seconds, seconds)
    crashPoint('front: index written, not in place')
    await rename(tmp, join(dir, gz.sha256))
  } finally {
    await rm(tmp, { force: true })
  }
}

async function writeTemp(
  parts: ChannelParts,
  tmp: string,
  { root, gz }: Pick<IndexForms, 'root' | 'gz'>,
  { signal }: Abortable,
): Promise<void> {
  const handle = await open(tmp, 'wx', 0o444)
  try {
    const hash = sha256Stream()
    const composite = await openComposite(parts, root)
    const buffer = Buffer.allocUnsafeSlow(PIECE_BYTES)
    for (let at = 0; at < gz.size; ) {
      signal?.throwIfAborted()
      const size = await composite.read(buffer, at, Math.min(buffer.length, gz.size - at))
      const piece = buffer.subarray(0, size)
      hash.update(piece)
      await handle.writeFile(piece)
      at += size
    }
    expectDigest(hash.digest(), gz.sha256)
    await handle.datasync()
  } finally {
    await handle.close()
  }
}

function expectDigest(found: Sha256, expected: Sha256): void {
  if (found === expected) return
  throw new AppError('ERR_DIGEST_MISMATCH', {
    message: `the chunks of ${expected} have become something else`,
    hint: 'sluice verify --deep',
  })
}
