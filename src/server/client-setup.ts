/**
 * What puts a machine on a channel: its key (pinned by digest), its sources, as deb822 and as one-line entries, and the
 * package that brings the keys to come.
 */
import { AppError } from '../base/errors.ts'
import { keyringPath } from '../channels/keyring-package.ts'
import { urlPathOf } from '../channels/release-urls.ts'

export interface ClientSetup {
  /** `approved`; `class/web` for a class. */
  readonly channel: string
  /** The script that does it. */
  readonly scriptUrl: string
  readonly keyUrl: string
  /** Of the bytes at `keyUrl`. */
  readonly keySha256: string
  /** Where the key lies on the client. */
  readonly keyPath: string
  /** The complete text of a `.sources` file. */
  readonly sources: string
  /** The same as lines of a sources.list. */
  readonly oneLine: readonly string[]
  /** Sources files of the machine whose sources were imported: what these sources stand for. */
  readonly oldFiles: readonly string[]
  /** The package with the key, for whoever installs it without apt; its suite stands among the sources. */
  readonly keyring?: { readonly url: string; readonly sha256: string } | undefined
}

/** One suite that the channel has. */
export interface SetupSuite {
  readonly archive: string
  readonly suite: string
  readonly components: readonly string[]
  /** Whether source packages can be had of it. */
  readonly hasSources?: boolean | undefined
}

export interface SetupInput {
  readonly channel: string
  /** What clients call the server; no slash at the end. */
  readonly publicUrl: string
  readonly keySha256: string
  readonly suites: readonly SetupSuite[]
  readonly oldFiles: readonly string[]
  /** The keyring package: below the URL of its archive. */
  readonly keyring?: KeyringFile | undefined
}

export interface KeyringFile extends SetupSuite {
  readonly path: string
  readonly sha256: string
}

/** One stanza for each archive, or one for each list of components that its suites have. */
export function clientSetup(input: SetupInput): ClientSetup {
  const { channel, publicUrl, keySha256, oldFiles, keyring } = input
  const suites = keyring === undefined ? input.suites : [...input.suites, keyring]
  const base = `${publicUrl}/${urlPathOf(channel)}`
  const keyPath = keyringPath(channel)
  const words = [
    base,
    keySha256,
    ...suites.flatMap((one) => [one.archive, one.suite, ...one.components]),
  ]
  for (const word of words) assertWord(word)
  const stanzas = group(suites).map(({ archive, suites, components, types }) =>
    [
      `Types: ${types.join(' ')}`,
      `URIs: ${base}/${archive}`,
      `Suites: ${suites.join(' ')}`,
      ...(components.length > 0 ? [`Components: ${components.join(' ')}`] : []),
      `Signed-By: ${keyPath}`,
      '',
    ].join('\n'),
  )
  return {
    channel,
    scriptUrl: `${publicUrl}/client/${channel}`,
    keyUrl: `${base}/key.asc`,
    keySha256,
    keyPath,
    sources: stanzas.join('\n'),
    oneLine: suites.flatMap((one) =>
      typesOf(one).map((type) =>
        [
          `${type} [signed-by=${keyPath}] ${base}/${one.archive} ${one.suite}`,
          ...one.components,
        ].join(' '),
      ),
    ),
    oldFiles,
    ...(keyring === undefined
      ? {}
      : { keyring: { url: `${base}/${keyring.archive}/${keyring.path}`, sha256: keyring.sha256 } }),
  }
}

/** A channel in names of files on a client: `class_web` for `class/web`, which no channel can be called. */
export function fileWord(channel: string): string {
  return channel.replace('/', '_')
}

function typesOf({ hasSources }: SetupSuite): string[] {
  return hasSources === true ? ['deb', 'deb-src'] : ['deb']
}

interface Group {
  readonly archive: string
  readonly types: readonly string[]
  readonly components: readonly string[]
  readonly suites: string[]
}

function group(suites: readonly SetupSuite[]): Group[] {
  const groups = new Map<string, Group>()
  for (const one of suites) {
    const { archive, suite, components } = one
    const types = typesOf(one)
    const key = [archive, ...types, ...components].join(' ')
    const known = groups.get(key)
    if (known === undefined) groups.set(key, { archive, types, components, suites: [suite] })
    else known.suites.push(suite)
  }
  return [...groups.values()]
}

/** A blank or a line feed in a name would become another entry on the client. */
function assertWord(word: string): void {
  if (/^[!-~]+$/.test(word)) return
  throw new AppError('ERR_FORMAT', {
    message: `${JSON.stringify(word)} cannot stand in a sources file`,
    hint: 'sluice archive set gives suites and components other names',
  })
}
