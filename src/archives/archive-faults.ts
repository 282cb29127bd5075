/**
 * What an archive cannot be: all that is wrong with a name and settings, each fault with the setting that it is in.
 */
import { type ArchiveSettings, extraKinds } from './archive-table.ts'
import { isFlat, suiteName } from './suite-place.ts'
import { redactUrl } from './upstream.ts'

export interface ArchiveFault {
  readonly key: 'name' | keyof ArchiveSettings
  /** Which member of a list. */
  readonly at?: number | undefined
  readonly message: string
  readonly hint: string
}

/** The archive of its own that each channel has, for the package of its keys. */
export const KEYRING_ARCHIVE = 'sluice'

const word = /^[A-Za-z0-9][A-Za-z0-9.+~_-]*$/
const languagePattern = /^[a-z]{2,3}(?:_[A-Z]{2})?(?:@[a-z]+)?$/
const suitePattern = /^[A-Za-z0-9][A-Za-z0-9.+~_-]*(\/[A-Za-z0-9][A-Za-z0-9.+~_-]*)*$/

/** What is wrong with a name. */
export function faultsOfName(name: string): ArchiveFault[] {
  if (!/^[a-z0-9][a-z0-9.+-]{0,62}$/.test(name)) {
    const message = `an archive cannot be called ${JSON.stringify(name)}`
    return [{ key: 'name', message, hint: 'lower-case letters, digits, dots, plus and minus' }]
  }
  if (name !== KEYRING_ARCHIVE) return []
  const message = `an archive cannot be called ${name}: each channel has one of this name, with the package of its keys`
  return [{ key: 'name', message, hint: 'take another name' }]
}

/** What is wrong with settings. */
export function faultsOfSettings(settings: ArchiveSettings): ArchiveFault[] {
  const { urls, fallbacks = [], languages = [], extras = [] } = settings
  const isLocal = settings.kind === 'local'
  const none: ArchiveFault[] =
    urls.length > 0 || isLocal
      ? []
      : [
          {
            key: 'urls',
            message: 'an archive needs a URL',
            hint: 'sluice archive add NAME URL --suite S',
          },
        ]
  return [
    ...none,
    ...faultsOfKept(settings),
    ...(isLocal ? faultsOfLocal(settings) : []),
    ...faultsOfUrls('urls', urls),
    ...faultsOfUrls('fallbacks', fallbacks),
    ...faultsOfWords('suites', 'suite', settings.suites),
    ...faultsOfNames(settings),
    ...faultsOfWords('components', 'component', settings.components),
    ...faultsOfWords('architectures', 'architecture', settings.architectures),
    ...languages.flatMap((one, at): ArchiveFault[] =>
      languagePattern.test(one)
        ? []
        : [
            faultOf(
              'languages',
              at,
              `${JSON.stringify(one)} is no language`,
              'such as en, de, pt_BR',
            ),
          ],
    ),
    ...extras.flatMap((one, at): ArchiveFault[] =>
      extraKinds.includes(one)
        ? []
        : [
            faultOf(
              'extras',
              at,
              `${JSON.stringify(one)} cannot be taken`,
              `there are ${extraKinds.join(', ')}`,
            ),
          ],
    ),
  ]
}

function faultsOfKept({ kind, keepVersions: keep = 0 }: ArchiveSettings): ArchiveFault[] {
  const hint = 'sluice archive create makes a local one'
  if (keep !== 0 && kind !== 'local')
    return [{ key: 'keepVersions', message: 'only a local archive keeps so many versions', hint }]
  if (Number.isInteger(keep) && keep >= 0 && keep <= 10_000) return []
  const message = `an archive cannot keep ${keep} versions`
  return [{ key: 'keepVersions', message, hint: 'a number, or 0 for all' }]
}

/** What only an archive of somebody else has. */
function faultsOfLocal(settings: ArchiveSettings): ArchiveFault[] {
  const foreign = ['urls', 'fallbacks', 'languages', 'proxy', 'allowExpired'] as const
  const all = [...foreign, 'allowOtherSuite', 'rescue'] as const
  const others = (settings.extras ?? []).filter((one) => one !== 'contents')
  const extras = others.map((one): ArchiveFault => {
    const message = `a local archive has contents, and no ${one}`
    return { key: 'extras', message, hint: 'sluice archive set NAME --with contents' }
  })
  const told = all.flatMap((key): ArchiveFault[] => {
    const value = settings[key]
    const isTold = Array.isArray(value) ? value.length > 0 : value !== undefined && value !== false
    if (!isTold) return []
    const message = `a local archive is filled by uploads, and has no ${key}`
    return [{ key, message, hint: 'sluice archive create --help' }]
  })
  return [...extras, ...told]
}

/** The form in which URLs of archives are kept; undefined for what is none. */
export function normalizeUrl(text: string): string | undefined {
  const url = URL.parse(text)
  const isWeb = url?.protocol === 'http:' || url?.protocol === 'https:'
  return isWeb ? url.href.replace(/\/+$/, '') : undefined
}

function faultsOfUrls(key: 'urls' | 'fallbacks', urls: readonly string[]): ArchiveFault[] {
  const hint =
    'the archive’s root, the folder that holds dists/; of a flat archive that of its Filename paths'
  return urls.flatMap((url, at) =>
    normalizeUrl(url) === undefined
      ? [faultOf(key, at, `${redactUrl(url)} is no http or https URL`, hint)]
      : [],
  )
}

function faultsOfWords(
  key: 'suites' | 'components' | 'architectures',
  what: string,
  values: readonly string[],
): ArchiveFault[] {
  if (values.length === 0) {
    const hint = `--${what === 'architecture' ? 'arch' : what} …`
    return [{ key, message: `an archive needs at least one ${what}`, hint }]
  }
  const pattern = what === 'architecture' ? word : suitePattern
  return values.flatMap((value, at) =>
    pattern.test(value) || (what === 'suite' && isFlatPath(value))
      ? []
      : [
          faultOf(
            key,
            at,
            `${JSON.stringify(value)} is no ${what}`,
            'see the Release file of the archive',
          ),
        ],
  )
}

/** No segment of it leads out of the archive. */
function isFlatPath(value: string): boolean {
  return isFlat(value) && !/[\p{Cc}\\?#\s]/u.test(value) && !value.split('/').includes('..')
}

/** Two flat suites may come to one name; what is ours has none. */
function faultsOfNames({ kind, suites }: ArchiveSettings): ArchiveFault[] {
  const names = suites.map(suiteName)
  return names.flatMap((name, at) => {
    const written = suites[at] ?? ''
    if (kind === 'local' && isFlat(written)) {
      const hint = 'a name without a slash at its end'
      return [faultOf('suites', at, `a local archive is not flat: ${written}`, hint)]
    }
    const first = names.indexOf(name)
    if (first === at || suites[first] === suites[at]) return []
    const message = `the suites ${suites[first]} and ${suites[at]} would both be called ${name}`
    return [faultOf('suites', at, message, 'make an archive of each')]
  })
}

function faultOf(
  key: ArchiveFault['key'],
  at: number,
  message: string,
  hint: string,
): ArchiveFault {
  return { key, at, message, hint }
}
