/**
 * What an uploader should know of packages that are published already: in a channel that follows the archive they may be
 * uninstallable, older than what machines have there, or called like a package of somebody else. Nothing of that keeps them out.
 */
import { type Archive, getArchive, listSuites } from '../archives/archive-table.ts'
import { chunksAt, type IndexEntry, readEntries } from '../archives/index-parts.ts'
import { binaryIndexes, readState, type SuiteState } from '../archives/suite-state.ts'
import type { Abortable } from '../base/abortable.ts'
import { compareVersions } from '../debian/version.ts'
import type { ChannelParts } from './channel-parts.ts'
import { isClass, listChannels } from './channel-table.ts'
import { searchPackages } from './search.ts'
import type { GenerationView } from './views.ts'

export interface UploadedName {
  readonly name: string
  readonly version: string
  readonly architecture: string
}

export interface UploadWarning {
  readonly channel: string
  readonly name: string
  readonly reason: 'uninstallable' | 'older' | 'same-name'
  readonly message: string
}

/** So many packages of one archive are laid over what the channel has of others. */
const MOST_STANZAS = 5000
const MOST_NAMES = 50

/** What there is to be said of these packages, in each channel that follows the archive. */
export async function warnOfUploads(
  parts: ChannelParts,
  input: { readonly archive: string; readonly packages: readonly UploadedName[] },
  { signal }: Abortable = {},
): Promise<UploadWarning[]> {
  const archive = await getArchive(parts.db, input.archive)
  const packages = input.packages.filter((one) => one.architecture !== 'source')
  const some = packages.slice(0, MOST_NAMES)
  const warnings: UploadWarning[] = []
  for (const channel of await listChannels(parts.db)) {
    const view = parts.views.head(channel.name)
    const isOurs = channel.follows.includes(archive.name) && !isClass(channel)
    if (!isOurs || view === undefined) continue
    for (const one of some) warnings.push(...(await compareNames(parts, archive, view, one)))
    warnings.push(...(await findUninstallable(parts, archive, view, some, signal)))
  }
  return warnings
}

async function compareNames(
  parts: ChannelParts,
  archive: Archive,
  { channel, ...view }: GenerationView,
  { name, version }: UploadedName,
): Promise<UploadWarning[]> {
  const found = await searchPackages(parts, [{ channel, ...view }], name)
  const same = found.filter((one) => one.package === name && one.architecture !== 'source')
  const [newest] = same
    .filter((one) => one.archive !== archive.name || compareVersions(one.version, version) > 0)
    .sort((a, b) => compareVersions(b.version, a.version))
  if (newest === undefined) return []
  const what = `${channel} has ${name} ${newest.version} of ${newest.archive} ${newest.suite}`
  const isOlder = compareVersions(newest.version, version) > 0
  const message = isOlder
    ? `${what}, which is newer than ${version}: machines take that one`
    : `${what} too: machines take the newer one, ${version} for now`
  return [{ channel, name, reason: isOlder ? 'older' : 'same-name', message }]
}

async function findUninstallable(
  parts: ChannelParts,
  archive: Archive,
  view: GenerationView,
  packages: readonly UploadedName[],
  signal: AbortSignal | undefined,
): Promise<UploadWarning[]> {
  const { channel } = view
  const others: SuiteState[] = []
  for (const suite of view.suites)
    if (suite.archive !== archive.name) others.push(await readState(parts.blobs, suite.state))
  const own: SuiteState[] = []
  for (const { state } of await listSuites(parts.db, archive))
    if (state !== undefined) own.push(await readState(parts.blobs, state))
  const warnings: UploadWarning[] = []
  const told = new Set<string>()
  for (const architecture of archive.settings.architectures) {
    const names = packages
      .filter((one) => [architecture, 'all'].includes(one.architecture) && !told.has(one.name))
      .map(({ name }) => name)
    const added = await stanzasOf(parts, own, architecture)
    if (names.length === 0 || added === undefined) continue
    const roots = rootsOf(others, architecture)
    const change = { architecture, roots, removed: [], added: added.map(({ text }) => text) }
    for (const { broken, root, words } of await parts.gate.judge(change, { signal })) {
      for (const { package: name } of broken.filter((one) => names.includes(one.package))) {
        told.add(name)
        const cause = root.package === name ? '' : ` needs ${root.package}, which`
        const message = `in ${channel}, ${name}${cause} ${words}: machines with ${architecture} cannot install it`
        warnings.push({ channel, name, reason: 'uninstallable', message })
      }
    }
  }
  return warnings
}

function rootsOf(
  states: readonly SuiteState[],
  architecture: string,
): SuiteState['indexes'][number]['root'][] {
  return states
    .flatMap(binaryIndexes)
    .flatMap((index) => (index.architecture === architecture ? [index.root] : []))
}

/** All packages of these suites; undefined where they are too many to be looked at like that. */
async function stanzasOf(
  parts: ChannelParts,
  states: readonly SuiteState[],
  architecture: string,
): Promise<IndexEntry[] | undefined> {
  const indexes = states.flatMap(binaryIndexes).filter((one) => one.architecture === architecture)
  if (indexes.reduce((sum, { stanzas }) => sum + stanzas, 0) > MOST_STANZAS) return undefined
  const entries: IndexEntry[] = []
  for (const { root } of indexes)
    for (const chunk of await chunksAt(parts, root))
      entries.push(...(await readEntries(parts, chunk, 'Packages')))
  return entries
}
