/**
 * Why a path below `/channels/` or `/class/` has no file, in words: machines that ask for what is not there show them to
 * whoever wrote their source line (apt prints the first line of it).
 */
import { KEYRING_ARCHIVE } from '../archives/archive-faults.ts'
import { AppError } from '../base/errors.ts'
import type { ChannelParts } from './channel-parts.ts'
import { channelOfClass, isClass, listChannels, titleOf } from './channel-table.ts'
import { findGeneration } from './generation-name.ts'
import type { GenerationView, SuiteView } from './views.ts'

/** The `ERR_NOT_FOUND` for a path that is none of a file; decoded, without a slash before it. */
export async function explainPath(parts: ChannelParts, path: string): Promise<AppError> {
  const [root = '', own = '', archive = '', kind = '', ...rest] = path.split('/')
  const name = root === 'class' ? channelOfClass(own) : own
  if (own === '')
    return notFound(`this is a directory: which ${wordOf(root)}?`, await others(parts, root))
  const view = name.includes('@') ? await findGeneration(parts, name) : parts.views.head(name)
  if (view === undefined) {
    return notFound(
      `there is no ${titleOf(name)}, or it holds nothing yet`,
      await others(parts, root),
    )
  }
  const suites = view.archives.get(archive)
  const title = titleOf(name)
  if (suites === undefined && archive === KEYRING_ARCHIVE) {
    return notFound(`the archive of keys in ${title} has no ${[kind, ...rest].join('/')}`)
  }
  if (suites === undefined) {
    const message =
      archive === '' ? `this is the directory of ${title}` : `${title} has no archive ${archive}`
    return notFound(message, `it has ${listed([...view.archives.keys()])}`)
  }
  const where = `archive ${archive} in ${title}`
  if (kind === 'pool')
    return notFound(`a file of the pool is called pool/<2 hex>/<62 hex>/<name>, after its SHA-256`)
  if (kind !== '' && kind !== 'dists')
    return notFound(`${where} has no ${kind}`, 'it has dists and pool')
  return explainSuite(where, suitesOf(view, archive), rest)
}

function explainSuite(
  where: string,
  suites: readonly SuiteView[],
  path: readonly string[],
): AppError {
  const names = suites.map(({ suite, names: all }) => {
    const more = all.filter((one) => one !== suite)
    return more.length === 0 ? suite : `${suite} (${more.join(', ')})`
  })
  if (path.length === 0)
    return notFound(`this is a directory of ${where}`, `its suites: ${listed(names)}`)
  const text = path.join('/')
  const suite = suites.find((one) =>
    one.names.some((name) => text === name || text.startsWith(`${name}/`)),
  )
  if (suite === undefined)
    return notFound(`${where} has no suite ${path[0]}`, `it has ${listed(names)}`)
  const hasDigest = /(^|\/)by-hash\/SHA256\/[0-9a-f]{64}$/.test(text)
  if (hasDigest) {
    return notFound(
      `no index of this digest is kept any more in suite ${suite.suite}, ${where}`,
      'apt-get update asks for a newer one',
    )
  }
  return notFound(
    `suite ${suite.suite} of ${where} lists no ${text.slice(text.indexOf('/') + 1)}`,
    'its Release file lists what it has',
  )
}

function suitesOf(view: GenerationView, archive: string): SuiteView[] {
  return view.suites.filter((suite) => suite.archive === archive)
}

async function others({ db }: ChannelParts, root: string): Promise<string> {
  const all = (await listChannels(db)).filter(
    (one) => isClass(one) === (root === 'class') && one.head > 0,
  )
  const names = all.map(({ name }) => name.replace(/^class\//, ''))
  return names.length === 0
    ? `there is no ${wordOf(root)} yet`
    : `there ${names.length === 1 ? 'is' : 'are'} ${listed(names)}`
}

function wordOf(root: string): string {
  return root === 'class' ? 'class' : 'channel'
}

function listed(names: readonly string[]): string {
  const more = names.length - 20
  return more > 0 ? `${names.slice(0, 20).join(', ')} and ${more} more` : names.join(', ')
}

function notFound(message: string, hint?: string): AppError {
  return new AppError('ERR_NOT_FOUND', { message, hint })
}
