/**
 * Filling a channel: everything that its head names is fetched, so that it needs upstream no more. What is here is passed
 * over, so that a fill that was cut short goes on where it was.
 */
import type { Abortable } from '../base/abortable.ts'
import { AppError } from '../base/errors.ts'
import type { ChannelParts } from '../channels/channel-parts.ts'
import { getChannel } from '../channels/channel-table.ts'
import {
  type FetchFailure,
  type FetchProgress,
  fetchFiles,
  type NeededFile,
} from '../channels/fetch-files.ts'
import { type Books, chunksOf, type GenerationFiles } from '../channels/file-ledger.ts'
import { assertRoom, measureRoom, type Room } from '../store/disk-reserve.ts'
import type { Amount } from './file-counts.ts'
import { type FoundFile, findFiles } from './find-files.ts'

/** So many failures one after the other, not of files that are gone, end it: upstream is away. */
const PATIENCE = 10
const NAMED = 1000

export interface FillInput {
  readonly channel: string
  /** `amd64`, `source`; all of them unless told. */
  readonly architectures?: readonly string[] | undefined
  /** Counts, and fetches nothing. */
  readonly dryRun?: boolean | undefined
  readonly onFile?: ((progress: FetchProgress) => void) | undefined
}

/** A file that could not be fetched. */
export interface UnfilledFile extends Omit<FoundFile, 'file' | 'generations'> {
  /** Nobody has it any more: no archive lists it, no URL has it. */
  readonly isLost: boolean
  readonly message: string
}

export interface FillReport extends Room {
  readonly serial: number
  /** What the head names, and what of it was here before. */
  readonly named: Amount
  readonly held: Amount
  readonly fetched: Amount
  /** What is still not here, and at most 1000 of those that failed. */
  readonly unfilledFiles: number
  readonly unfilled: readonly UnfilledFile[]
  readonly lostFiles: number
  /** It was ended early: too much failed in a row. */
  readonly isCutShort: boolean
}

interface WantedFile extends NeededFile {
  readonly file: number
}

/** Fetches what the head names and is not here; `ERR_DISK_FULL` before that if it would take from the disk's reserve. */
export async function fillChannel(
  parts: ChannelParts,
  input: FillInput,
  { signal }: Abortable = {},
): Promise<FillReport> {
  const channel = await getChannel(parts.db, input.channel)
  const { serial, named, wanted } = await parts.ledger.look(
    (books) => listWanted(books, headOf(books, channel.name), input),
    { signal },
  )
  const missing = sum(wanted)
  const held = { files: named.files - missing.files, bytes: named.bytes - missing.bytes }
  const room = await measureRoom(parts.blobs)
  const before = { serial, named, held, ...room }
  const nothing = { unfilled: [], unfilledFiles: 0, lostFiles: 0, isCutShort: false }
  if (input.dryRun === true) return { ...before, ...nothing, fetched: { files: 0, bytes: 0 } }
  await assertRoom(parts.blobs, missing.bytes, `filling ${channel.name}`)
  let inRow = 0
  let done = 0
  const onFile = (progress: FetchProgress): void => {
    if (progress.done > done) inRow = 0
    done = progress.done
    input.onFile?.(progress)
  }
  const goOn = ({ isGone }: FetchFailure<WantedFile>): boolean => isGone || ++inRow < PATIENCE
  const failures = await fetchFiles(parts, wanted, { onFile, goOn }, { signal })
  const isCutShort = inRow >= PATIENCE
  const left = await notHeld(parts, wanted, { signal })
  const { files, bytes } = sum(left)
  return {
    ...before,
    fetched: { files: missing.files - files, bytes: missing.bytes - bytes },
    isCutShort,
    unfilledFiles: files,
    ...(await nameFailures(parts, channel.name, failures, { signal })),
  }
}

function headOf({ generations }: Books, channel: string): GenerationFiles {
  const head = generations.findLast((one) => one.channel.name === channel)
  if (head !== undefined) return head
  throw new AppError('ERR_NOT_FOUND', {
    message: `channel ${channel} has no generation yet`,
    hint: `sluice channel show ${channel}`,
  })
}

function listWanted(
  books: Books,
  head: GenerationFiles,
  { architectures }: FillInput,
): { serial: number; named: Amount; wanted: WantedFile[] } {
  const here = new Set(head.suites.flatMap((one) => one.indexes.map((index) => index.architecture)))
  const unknown = architectures?.find((name) => !here.has(name))
  if (unknown !== undefined) {
    throw new AppError('ERR_NOT_FOUND', {
      message: `channel ${head.channel.name} has no architecture ${unknown}`,
      hint: `it has ${[...here].sort().join(', ')}`,
    })
  }
  const suites = head.suites.map((suite) => ({
    ...suite,
    indexes: suite.indexes.filter((one) => architectures?.includes(one.architecture) !== false),
  }))
  const seen = new Set([...chunksOf(suites)].flatMap((chunk) => [...chunk.files]))
  const all = [...seen].map((file) => ({ file, size: books.files.sizeOf(file) }))
  const wanted = all
    .filter(({ file }) => !books.isHeld(file))
    .map((one) => ({ ...one, sha256: books.files.sha256Of(one.file) }))
  return { serial: head.serial, named: sum(all), wanted }
}

function sum(files: readonly { readonly size: number }[]): Amount {
  return { files: files.length, bytes: files.reduce((bytes, { size }) => bytes + size, 0) }
}

async function notHeld(
  parts: ChannelParts,
  wanted: readonly WantedFile[],
  abortable: Abortable,
): Promise<WantedFile[]> {
  return parts.ledger.look((books) => wanted.filter((one) => !books.isHeld(one.file)), abortable)
}

async function nameFailures(
  parts: ChannelParts,
  channel: string,
  failures: readonly FetchFailure<WantedFile>[],
  abortable: Abortable,
): Promise<Pick<FillReport, 'unfilled' | 'lostFiles'>> {
  const byFile = new Map(failures.map((failure) => [failure.file.file, failure]))
  return parts.ledger.look(async (books) => {
    const isLost = (file: number): boolean =>
      byFile.get(file)?.isGone === true && !books.isListed(file)
    const isWanted = (file: number): boolean => byFile.has(file) && !books.isHeld(file)
    const generations = books.generations.filter((one) => one.channel.name === channel)
    const found = await findFiles(parts, books, { generations, isWanted, limit: NAMED })
    return {
      unfilled: found.map(({ file, generations: _, ...one }) => {
        const message = byFile.get(file)?.error.message ?? ''
        return { ...one, isLost: isLost(file), message }
      }),
      lostFiles: [...byFile.keys()].filter((file) => isWanted(file) && isLost(file)).length,
    }
  }, abortable)
}
