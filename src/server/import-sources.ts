/**
 * The first start: the machine's own apt sources become archives, `testing` follows them, `approved` is copied from it.
 *
 * A source that cannot be had is a warning with its reason, never a failed start.
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type GroupedSource, groupSources } from '../archives/apt-groups.ts'
import { type AptSetup, readAptSetup } from '../archives/apt-sources.ts'
import { listArchives } from '../archives/archive-table.ts'
import { addArchive } from '../archives/change-archive.ts'
import { routeArchive } from '../archives/routed-upstream.ts'
import { AppError, toAppError } from '../base/errors.ts'
import { type Channel, listChannels } from '../channels/channel-table.ts'
import { type CreateInput, createChannel } from '../channels/create-channel.ts'
import { exportKeyring, limitKeyring, mergeKeyrings, readKeyring } from '../debian/keyring.ts'
import { readImport, saveImport } from './import-record.ts'
import { refreshAndFollow } from './jobs.ts'
import type { ServerParts } from './parts.ts'
import type { StartEvent } from './start-event.ts'

const reason = { who: 'system', why: 'first start: the apt sources of this machine' }

/** Imports, refreshes, and makes the two channels. The files that the sources came from are returned. */
export async function importSources(
  parts: ServerParts,
  onEvent: (event: StartEvent) => void,
  signal: AbortSignal | undefined,
): Promise<readonly string[]> {
  const { environment } = parts.config
  const setup = await readAptSetup('/', { signal, environment })
  const groups = groupSources(setup.sources)
  const leftOut = [...setup.leftOut]
  const here = new Set((await listArchives(parts.db)).map((archive) => archive.name))
  const added: GroupedSource[] = []
  for (const group of groups) {
    try {
      // One of an import that was cut short is here already.
      if (!here.has(group.name)) await addGroup(parts, setup, group)
      added.push(group)
    } catch (error) {
      leftOut.push({
        what: `${group.uri} ${group.suites.join(' ')}`,
        reason: toAppError(error).message,
      })
    }
  }
  onEvent({
    kind: 'imported',
    files: setup.files,
    archives: added.map(({ name, uri, suites, components, architectures, hasSources }) => ({
      name,
      url: uri,
      suites,
      components,
      architectures,
      hasSources,
    })),
    leftOut,
  })
  const archives = added.map((group) => group.name)
  await saveImport(parts.config.dataDir, { isDone: false, files: setup.files })
  await refreshAndFollow(
    parts,
    {
      archives,
      who: reason.who,
      onEvent: (event) => onEvent({ kind: 'refresh', event }),
      onOutcome: (outcome) => onEvent({ kind: 'outcome', outcome }),
    },
    signal,
  )
  await finishImport(parts, signal)
  return setup.files
}

/**
 * Makes `testing` over all archives, and `approved` as a copy once testing holds something: then the import is done.
 * Whoever has looked upstream calls it; where nothing is to be finished it does nothing. The channels that it made.
 */
export function finishImport(
  parts: ServerParts,
  signal: AbortSignal | undefined,
): Promise<readonly Channel[]> {
  // No channel's name has a blank: this is nobody else's lock.
  return parts.channelLock('the import')(async () => {
    const record = await readImport(parts.config.dataDir)
    if (record === undefined || record.isDone) return []
    const archives = (await listArchives(parts.db)).map((archive) => archive.name)
    if (archives.length === 0) return []
    const here = new Set((await listChannels(parts.db)).map((channel) => channel.name))
    const made: Channel[] = []
    const make = async (name: string, source: CreateInput['source']): Promise<void> => {
      if (here.has(name)) return
      made.push(await createChannel(parts, { ...reason, name, source }, { signal }))
    }
    await make('testing', { follow: archives })
    if (parts.views.head('testing') === undefined) return made
    await make('approved', { from: 'testing' })
    await saveImport(parts.config.dataDir, { ...record, isDone: true })
    return made
  })
}

async function addGroup(parts: ServerParts, setup: AptSetup, group: GroupedSource): Promise<void> {
  const keyring = Buffer.from(await keyringOf(group))
  const proxy = setup.proxyFor(group.uri)
  const settings = {
    urls: [withLogin(group.uri, setup.authFor(group.uri))],
    suites: group.suites,
    components: group.components,
    architectures: group.architectures,
    ...(group.hasSources ? { sources: true } : {}),
    ...(proxy === undefined ? {} : { proxy }),
    ...(group.checkValidUntil ? {} : { allowExpired: true }),
  }
  const archive = await addArchive(parts, { name: group.name, settings, keyring }, reason)
  routeArchive(parts.upstream, archive)
}

function withLogin(uri: string, login: { login: string; password: string } | undefined): string {
  if (login === undefined) return uri
  const url = new URL(uri)
  url.username = encodeURIComponent(login.login)
  url.password = encodeURIComponent(login.password)
  return url.href
}

async function keyringOf({ signedBy, uri }: GroupedSource): Promise<string> {
  if (signedBy.kind === 'inline') return signedBy.armored
  const paths = signedBy.kind === 'files' ? signedBy.paths : signedBy.trusted
  const rings: Awaited<ReturnType<typeof readKeyring>>[] = []
  for (const path of paths) {
    try {
      rings.push(await readKeyring(await readFile(join('/', path))))
    } catch (error) {
      // One bad file among many is no reason to trust none; a named one that is bad is.
      if (signedBy.kind === 'files') throw error
    }
  }
  const ring = mergeKeyrings(rings)
  const limited =
    signedBy.kind === 'fingerprints' ? limitKeyring(ring, signedBy.fingerprints) : ring
  if (limited.keys.length > 0) return exportKeyring(limited)
  throw new AppError('ERR_KEYRING', {
    message: `no key for ${uri} is on this machine`,
    hint: 'name its key in the source by Signed-By',
  })
}
