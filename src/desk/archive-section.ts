/**
 * The archives of the configuration: `[archive.NAME]`. An archive that is new or changed is looked at upstream at once, so
 * that the channels that follow it have something to begin with; what fails there keeps those channels back.
 */
import { faultsOfName, faultsOfSettings } from '../archives/archive-faults.ts'
import { type Archive, listArchives, listSuites } from '../archives/archive-table.ts'
import { addArchive, removeArchive, setArchive } from '../archives/change-archive.ts'
import { findShrinkage } from '../archives/local-shrink.ts'
import { AppError, isErrorCode, toAppError } from '../base/errors.ts'
import { listChannels } from '../channels/channel-table.ts'
import { archiveLines, keyringText, readSettings, settingChanges } from './archive-document.ts'
import type { TableReader } from './config-reader.ts'
import {
  type ApplyParts,
  nothingPlanned,
  type Round,
  type Section,
  type SectionPlan,
  type Step,
} from './config-section.ts'

/** The whole of Debian's keys, with all who signed them, has a tenth of it. */
const LONGEST_KEYRING = 1024 * 1024

/** The section. */
export const archiveSection: Section = {
  key: 'archive',
  describe: async ({ db }, note) => {
    const lines = ['# Where packages come from.', '[archive]']
    for (const archive of await listArchives(db)) {
      lines.push('', ...(await archiveLines(archive, note)))
    }
    return lines
  },
  plan: planArchives,
}

async function planArchives(round: Round): Promise<SectionPlan> {
  const { now, then, isPruning, root } = round
  const section = root.table('archive')
  if (section === undefined) {
    for (const { name } of now.archives) then.archives.add(name)
    return nothingPlanned
  }
  const steps: Step[] = []
  for (const table of section.tables()) {
    then.archives.add(table.name)
    steps.push(...(await planArchive(round, table)))
  }
  const others = now.archives.filter(({ name }) => !section.has(name))
  if (!isPruning) {
    for (const { name } of others) then.archives.add(name)
    return { steps, removals: [], left: others.map(objectOf) }
  }
  if (!root.has('channel')) refuseFollowed(round, section, others)
  return { steps, removals: others.map((one) => removal(round.parts, one)), left: [] }
}

/** Channels are not in the file, and stay: so does what they follow. */
function refuseFollowed({ now }: Round, section: TableReader, gone: readonly Archive[]): void {
  for (const { name } of gone) {
    const followers = now.channels.filter(({ follows }) => follows.includes(name))
    if (followers.length > 0)
      section.fault(
        undefined,
        `archive ${name} is not in the file, but cannot be removed: channel ${followers.map((one) => one.name).join(', ')} follows it`,
      )
  }
}

async function planArchive(round: Round, table: TableReader): Promise<Step[]> {
  const { parts } = round
  const { name } = table
  const now = round.now.archives.find((one) => one.name === name)
  if (now === undefined) {
    for (const { message } of faultsOfName(name)) table.fault(undefined, message)
  }
  const settings = readSettings(table, now)
  for (const { key, at, message } of faultsOfSettings(settings)) {
    // A list of the wrong type was told already.
    if (at === undefined && table.has(key) && table.texts(key) === undefined) continue
    table.fault(at === undefined ? (table.has(key) ? key : undefined) : [key, at], message)
  }
  const shrinkage = now === undefined ? [] : await findShrinkage(parts.db, now, settings)
  for (const { key, message } of shrinkage) table.fault(table.has(key) ? key : undefined, message)
  const keyring = await readKeys(table, now)
  table.done()
  const changes = settingChanges(now?.settings, settings)
  if (keyring !== undefined)
    changes.push({
      what: 'keyring',
      ...(now && { before: 'other keys' }),
      after: 'the keys of the file',
    })
  const object = objectOf(table)
  const isChanged = changes.length > 0
  const run: Step['run'] = async (reason) => {
    const archive = await (now === undefined
      ? addArchive(parts, { name, settings, keyring: keyring ?? Buffer.alloc(0) }, reason)
      : setArchive(parts, name, { settings, keyring }, reason))
    parts.serverSide.archiveChanged(archive)
    return undefined
  }
  const action = now === undefined ? 'add' : 'change'
  const suites = now === undefined ? [] : await listSuites(parts.db, { ...now, settings })
  const isLacking = suites.some(({ state }) => state === undefined)
  // What is ours is there as soon as it is made.
  const isFetched = (isChanged || isLacking) && settings.kind !== 'local'
  if (isFetched) round.then.fetched.add(name)
  return [
    ...(isChanged ? [{ action, object, changes, needs: [], run } as const] : []),
    ...(isFetched ? [fetching(parts, name)] : []),
  ]
}

/** The keys of the file where they are others than the archive's; undefined where nothing changes by them. */
async function readKeys(table: TableReader, now: Archive | undefined): Promise<Buffer | undefined> {
  const text = table.text('keyring', LONGEST_KEYRING)
  if (text === undefined) {
    if (now === undefined && !table.has('keyring') && !table.has('kind'))
      table.fault(
        undefined,
        'keyring is missing: the keys that sign the archive, as gpg --armor --export writes them',
      )
    return undefined
  }
  const keyring = Buffer.from(text)
  try {
    const wanted = await keyringText(keyring)
    const before = now?.keyring.length === 0 ? undefined : now?.keyring
    return before !== undefined && wanted === (await keyringText(before)) ? undefined : keyring
  } catch (error) {
    table.fault('keyring', toAppError(error).message)
    return undefined
  }
}

function fetching(parts: ApplyParts, name: string): Step {
  return {
    action: 'fetch',
    object: `archive ${name}`,
    changes: [],
    needs: [`archive ${name}`],
    run: async (_reason, abortable) => {
      const outcomes = await parts.serverSide.refresh(name, abortable)
      const failed = outcomes.find((one) => one.kind === 'failed')
      if (failed === undefined) return undefined
      const { suite, problem } = failed
      const code = problem?.code ?? ''
      throw new AppError(isErrorCode(code) ? code : 'ERR_INTERNAL', {
        message: `${suite}: ${problem?.message ?? 'it could not be fetched'}`,
        hint: problem?.hint ?? `sluice archive show ${name}`,
      })
    },
  }
}

function removal(parts: ApplyParts, archive: Archive): Step {
  const { name } = archive
  return {
    action: 'remove',
    object: objectOf(archive),
    changes: [],
    needs: [],
    run: async (reason) => {
      const followers = (await listChannels(parts.db)).filter((one) => one.follows.includes(name))
      if (followers.length > 0) {
        throw new AppError('ERR_REFUSED', {
          message: `archive ${name} is followed by ${followers.map((one) => one.name).join(', ')}`,
          hint: 'delete those channels first',
        })
      }
      await removeArchive(parts, name, reason)
      parts.serverSide.archiveRemoved()
      return undefined
    },
  }
}

function objectOf({ name }: { readonly name: string }): string {
  return `archive ${name}`
}
