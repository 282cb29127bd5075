/**
 * Route of the figures: what was sent and saved, what is kept. Adds the metrics of upstream.
 */
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { FastifyInstance } from 'fastify'
import type { HostHealth } from '../archives/upstream-health.ts'
import { blobTotals } from '../store/blob-lists.ts'
import { fileBytes } from '../store/database.ts'
import type { ApiContext } from './api-context.ts'
import { gcFigures } from './gc.ts'
import { roomFigures } from './room.ts'
import { addSeenMetrics } from './seen-metrics.ts'
import { addUp, savedBytes, sentBytes } from './traffic.ts'
import type { Amounts, ArchiveAmounts } from './traffic-table.ts'

/** Adds the route to the API. */
export function statsRoutes(api: FastifyInstance, { parts, jobs }: ApiContext): void {
  addSeenMetrics(parts)
  api.get('/stats', async () => {
    const { today, week, ever } = await parts.traffic.report()
    return {
      ...parts.metrics.totals(),
      traffic: {
        today: figuresOf(addUp(today)),
        week: figuresOf(addUp(week)),
        ever: figuresOf(addUp(ever)),
      },
      archives: byArchive({ today, week, ever }),
      hosts: parts.upstream.health.hosts().map(describeHost),
      store: {
        ...(await blobTotals(parts.db)),
        databaseBytes: await sizeOf(join(parts.config.dataDir, 'sluice.db')),
        databaseUnusedBytes: (await fileBytes(parts.db)).unused,
        freeBytes: await parts.blobs.freeBytes(),
      },
      room: roomFigures(await jobs()?.room.status()),
      lastGc: await gcFigures(parts),
      downloads: { active: parts.downloads.active },
    }
  })
}

/** How a host of an archive did since the start. */
function describeHost({ host, requests, bytes, mismatches, answers, answersMs, isUp }: HostHealth) {
  const { refused, unreachable, timeout, broken, ...good } = requests
  const answered = answers.reduce((sum, one) => sum + one, 0)
  return {
    ...{ host, isUp, bytes, mismatches },
    good: good.ok + good.unchanged + good.absent,
    failed: refused + unreachable + timeout + broken,
    answerMs: answered === 0 ? undefined : answersMs / answered,
  }
}

/** What is told of a time. */
interface Figures {
  readonly hits: number
  readonly misses: number
  readonly passes: number
  readonly sentBytes: number
  readonly fetchedBytes: number
  readonly savedBytes: number
}

function figuresOf(amounts: Amounts): Figures {
  const { hits, misses, passes, fetchedBytes } = amounts
  const [sent, saved] = [sentBytes(amounts), savedBytes(amounts)]
  return { hits, misses, passes, sentBytes: sent, fetchedBytes, savedBytes: saved }
}

/** Each time's figures by archive; '' is what belongs to none. */
function byArchive(
  times: Readonly<Record<string, readonly ArchiveAmounts[]>>,
): Record<string, Record<string, Figures>> {
  const found: Record<string, Record<string, Figures>> = {}
  for (const [time, all] of Object.entries(times)) {
    for (const one of all) found[one.archive] = { ...found[one.archive], [time]: figuresOf(one) }
  }
  return found
}

async function sizeOf(path: string): Promise<number> {
  return (await stat(path)).size
}
