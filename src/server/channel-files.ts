/**
 * What the API and the metrics tell of the files that a channel names: how many are held, reachable and lost, and which are
 * lost.
 */
import type { Abortable } from '../base/abortable.ts'
import { type Channel, listChannels } from '../channels/channel-table.ts'
import type { Books, GenerationFiles } from '../channels/file-ledger.ts'
import { countFiles, type FileCounts, type LostFile, listLost } from '../keeping/file-counts.ts'
import type { ServerParts } from './parts.ts'

/** Lost files that are named, of a channel. */
const NAMED = 1000

export interface ChannelFiles {
  /** Of the generation that is served. */
  readonly files: FileCounts
  /** Of all generations that are kept, each file once. */
  readonly keptFiles: FileCounts & { readonly generations: number }
  readonly lostFiles: readonly Omit<LostFile, 'file'>[]
}

/** All that is told of a channel's files, as they are now. */
export function describeFiles(
  parts: ServerParts,
  { name, head }: Channel,
  abortable: Abortable = {},
): Promise<ChannelFiles> {
  return parts.ledger.look(async (books) => {
    const kept = generationsOf(books, name)
    const heads = kept.filter(({ serial }) => serial === head)
    const lost = await listLost(parts, books, kept, NAMED)
    return {
      files: await countFiles(parts, books, heads),
      keptFiles: { ...(await countFiles(parts, books, kept)), generations: kept.length },
      lostFiles: lost.map(({ file: _, ...one }) => one),
    }
  }, abortable)
}

/** How many files of a channel's kept generations are lost. */
export function countLost(parts: ServerParts, name: string): Promise<number> {
  return parts.ledger.look(async (books) => {
    const { lost } = await countFiles(parts, books, generationsOf(books, name))
    return lost.files
  })
}

/** How many files each channel has lost; those that have lost none are left out. */
export async function listLosses(parts: ServerParts): Promise<Record<string, number>> {
  const losses: Record<string, number> = {}
  for (const { name } of await listChannels(parts.db)) {
    const lost = await countLost(parts, name)
    if (lost > 0) losses[name] = lost
  }
  return losses
}

/** How many files of the generation that a channel serves are lost. */
export function countLostOfHead(parts: ServerParts, name: string): Promise<number> {
  return parts.ledger.look(async (books) => {
    const { lost } = await countFiles(parts, books, generationsOf(books, name).slice(-1))
    return lost.files
  })
}

function generationsOf({ generations }: Books, name: string): GenerationFiles[] {
  return generations.filter(({ channel }) => channel.name === name)
}

const states = ['held', 'reachable', 'lost'] as const

/** Adds the gauges of channels' files: of all generations that are kept. */
export function addFileGauges(parts: ServerParts): void {
  const read = async (what: keyof FileCounts['held']): Promise<[readonly string[], number][]> => {
    const samples: [readonly string[], number][] = []
    for (const { name } of await listChannels(parts.db)) {
      const counts = await parts.ledger.look((books) =>
        countFiles(parts, books, generationsOf(books, name)),
      )
      for (const state of states) samples.push([[name, state], counts[state][what]])
    }
    return samples
  }
  const label = ['channel', 'state']
  parts.metrics.addGauge({
    name: 'channel_files',
    help: 'Files that kept generations of a channel name: held here, reachable upstream, or lost',
    label,
    read: () => read('files'),
  })
  parts.metrics.addGauge({
    name: 'channel_file_bytes',
    help: 'Sizes of the files that kept generations of a channel name',
    label,
    read: () => read('bytes'),
  })
  parts.metrics.addGauge({
    name: 'rescue_files',
    help: 'Files that upstream replaced and that are still to be fetched',
    label: [],
    read: async () => [[[], parts.rescue.status().files]],
  })
}
