/**
 * What clients hold on to of a suite (Origin, Label, Suite, Codename, NotAutomatic, ButAutomaticUpgrades) stays as it was
 * when the suite came, also if upstream renames itself: apt refuses a Release that changes them until somebody accepts it
 * by hand. Here it is found out where the two differ, and upstream's is taken over if an administrator says so.
 */
import { getArchive, listSuites } from '../archives/archive-table.ts'
import { type ReleaseIdentity, readState } from '../archives/suite-state.ts'
import type { Abortable } from '../base/abortable.ts'
import { AppError, isAppError } from '../base/errors.ts'
import { findPublication, findPublishedIdentity } from '../signing/publication-table.ts'
import type { ChannelParts, Reason } from './channel-parts.ts'
import { getChannel, titleOf } from './channel-table.ts'
import { publishedForm } from './draft-suite.ts'
import { publicationOf } from './ensure-publication.ts'
import type { Generation } from './generation-table.ts'
import { publishGeneration } from './publish.ts'
import type { SuiteView } from './views.ts'

/** A field that upstream has differently; empty where it has none. */
export interface FieldDifference {
  /** As in a Release: `Label`. */
  readonly field: string
  readonly published: string
  readonly upstream: string
}

export interface SuiteDifference {
  readonly archive: string
  readonly suite: string
  readonly fields: readonly FieldDifference[]
}

export interface AdoptInput extends Reason {
  /** `class/web` for what is published for a class. */
  readonly channel: string
  /** Only of this archive, this suite. */
  readonly archive?: string | undefined
  readonly suite?: string | undefined
  readonly dryRun?: boolean | undefined
}

export interface Adoption {
  readonly differences: readonly SuiteDifference[]
  /** Absent on a dry run, and where nothing differs. */
  readonly generation?: Generation | undefined
}

/** Where what is published of a channel's suites is not what upstream says by now. */
export async function findDifferences(
  parts: ChannelParts,
  channel: string,
): Promise<SuiteDifference[]> {
  const all = await compareSuites(parts, channel, () => true)
  return all.map(({ difference }) => difference)
}

/** Publishes what upstream says in place of what was published so far; `ERR_NOT_FOUND` for a suite that is not there. */
export function adoptRelease(
  parts: ChannelParts,
  input: AdoptInput,
  { signal }: Abortable = {},
): Promise<Adoption> {
  return parts.channelLock(input.channel)(async () => {
    const channel = await getChannel(parts.db, input.channel)
    const isWanted = (one: SuiteView): boolean =>
      (input.archive === undefined || one.archive === input.archive) &&
      (input.suite === undefined || one.names.includes(input.suite))
    const suites = parts.views.head(channel.name)?.suites ?? []
    if (!suites.some(isWanted)) throw noSuite(input)
    const found = await compareSuites(parts, channel.name, isWanted)
    const differences = found.map(({ difference }) => difference)
    if (found.length === 0 || input.dryRun === true) return { differences }
    const entries = suites.map(({ archive, suite, state }) => {
      const adopted = found.find(({ view }) => view.archive === archive && view.suite === suite)
      return { archive, suite, state, identity: adopted?.identity }
    })
    const { who, why } = input
    const made = { channel, kind: 'adopt-release' as const, entries, changes: [], who, why }
    const generation = await publishGeneration(
      parts,
      { ...made, detail: { adopted: differences } },
      { signal },
    )
    return { differences, generation }
  })
}

async function compareSuites(
  parts: ChannelParts,
  channel: string,
  isWanted: (suite: SuiteView) => boolean,
): Promise<{ view: SuiteView; identity: ReleaseIdentity; difference: SuiteDifference }[]> {
  const publication = await findPublication(parts.db, publicationOf(channel))
  const suites = parts.views.head(channel)?.suites.filter(isWanted) ?? []
  const found: { view: SuiteView; identity: ReleaseIdentity; difference: SuiteDifference }[] = []
  for (const view of publication === undefined ? [] : suites) {
    const { archive, suite } = view
    const known = await findPublishedIdentity(parts.db, publication?.id ?? 0, archive, suite)
    const identity = await upstreamIdentity(parts, view)
    const fields = known === undefined ? [] : differingFields(known.identity, identity)
    if (fields.length > 0) found.push({ view, identity, difference: { archive, suite, fields } })
  }
  return found
}

/** What the archive's newest state says; of an archive that was removed, what the channel's says. */
async function upstreamIdentity(
  parts: ChannelParts,
  { archive, suite, state }: SuiteView,
): Promise<ReleaseIdentity> {
  const newest = (await statesOf(parts, archive)).get(suite) ?? state
  return publishedForm(suite, (await readState(parts.blobs, newest)).identity)
}

async function statesOf(
  parts: ChannelParts,
  name: string,
): Promise<Map<string, SuiteView['state'] | undefined>> {
  try {
    const suites = await listSuites(parts.db, await getArchive(parts.db, name))
    return new Map(suites.map((one) => [one.suite, one.state]))
  } catch (error) {
    if (isAppError(error, 'ERR_NOT_FOUND')) return new Map()
    throw error
  }
}

function differingFields(published: ReleaseIdentity, upstream: ReleaseIdentity): FieldDifference[] {
  const text = (value: string | boolean | undefined): string =>
    typeof value === 'boolean' ? (value ? 'yes' : 'no') : (value ?? '')
  const fields = [
    ['Origin', 'origin'],
    ['Label', 'label'],
    ['Suite', 'suite'],
    ['Codename', 'codename'],
    ['NotAutomatic', 'notAutomatic'],
    ['ButAutomaticUpgrades', 'butAutomaticUpgrades'],
  ] as const
  return fields
    .map(([field, key]) => ({
      field,
      published: text(published[key]),
      upstream: text(upstream[key]),
    }))
    .filter((one) => one.published !== one.upstream)
}

function noSuite({ channel, archive, suite }: AdoptInput): AppError {
  const wanted = [archive, suite].filter((one) => one !== undefined).join(' ')
  const title = titleOf(channel)
  return new AppError('ERR_NOT_FOUND', {
    message: wanted === '' ? `${title} holds nothing yet` : `${title} has no ${wanted}`,
    hint: `sluice ${title.replace(' ', ' show ')}`,
  })
}
