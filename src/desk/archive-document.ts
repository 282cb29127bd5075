/**
 * An archive as a table of the configuration file: `[archive.NAME]`.
 *
 * Passwords are never written: a URL stands there without its login, and one in the file that is, but for its login, one
 * that the server has, means that one. Keyrings are armored text of the keys that can be used, in one form, so that the same
 * keys are the same text wherever they came from.
 */
import { normalizeUrl } from '../archives/archive-faults.ts'
import { type Archive, type ArchiveSettings, extraKinds } from '../archives/archive-table.ts'
import { normalizeSuite } from '../archives/suite-place.ts'
import { tomlComment, tomlHeader, tomlLines } from '../base/toml.ts'
import { exportKeyring, type Keyring, readKeyring } from '../debian/keyring.ts'
import { formatUploader, parseUploader } from '../debian/uploader-lines.ts'
import type { TableReader } from './config-reader.ts'
import { changeOf, listText, type StepChange } from './config-section.ts'

/** What may stand in the table, in the order in which it is written. */
const lists = ['urls', 'fallbacks', 'suites', 'components', 'architectures'] as const

/** The lines of one archive; `note` tells what is left out. */
export async function archiveLines(
  { name, settings, keyring }: Archive,
  note: (text: string) => void,
): Promise<string[]> {
  const lines = [tomlHeader(['archive', name])]
  const { urls, fallbacks = [], proxy } = settings
  const logins = [...urls, ...fallbacks, ...(proxy === undefined ? [] : [proxy])].filter(hasSecret)
  if (logins.length > 0) {
    note(`archive ${name}: the login of ${logins.map(withoutSecret).join(', ')} is left out`)
    lines.push(
      tomlComment('A login is left out of these URLs. Where the server has it, it stays as it is;'),
      tomlComment('on another one write http://USER:PASSWORD@HOST/… here.'),
    )
  }
  if (settings.kind === 'local') return [...lines, ...(await localLines(settings, keyring))]
  lines.push(...tomlLines('urls', urls.map(withoutSecret)))
  if (fallbacks.length > 0) lines.push(...tomlLines('fallbacks', fallbacks.map(withoutSecret)))
  for (const key of ['suites', 'components', 'architectures'] as const) {
    lines.push(...tomlLines(key, settings[key]))
  }
  if (settings.sources === true) lines.push('sources = true')
  const { languages = ['en'] } = settings
  if (languages.join() !== 'en') lines.push(...tomlLines('languages', languages))
  lines.push(...extraLines(settings))
  if (proxy !== undefined) lines.push(...tomlLines('proxy', withoutSecret(proxy)))
  if (settings.allowExpired === true) lines.push('allow-expired = true')
  if (settings.allowOtherSuite === true) lines.push('allow-other-suite = true')
  if (settings.rescue === false) lines.push('rescue = false')
  return [...lines, ...(await keyLines(keyring))]
}

function extraLines({ extras = [] }: ArchiveSettings): string[] {
  return extras.length === 0 ? [] : tomlLines('extras', extras)
}

async function localLines(settings: ArchiveSettings, keyring: Buffer): Promise<string[]> {
  const { uploaders = [], keepVersions = 0 } = settings
  return [
    ...tomlLines('kind', 'local'),
    ...tomlLines('suites', settings.suites),
    ...tomlLines('components', settings.components),
    ...tomlLines('architectures', settings.architectures),
    ...extraLines(settings),
    ...(uploaders.length > 0 ? tomlLines('uploaders', uploaders.map(formatUploader)) : []),
    ...(keepVersions > 0 ? [`keep-versions = ${keepVersions}`] : []),
    ...(keyring.length > 0 ? await keyLines(keyring) : []),
  ]
}

async function keyLines(keyring: Buffer): Promise<string[]> {
  const ring = await readKeyring(keyring)
  const names = ring.keys.map(({ fingerprint, userIds }) =>
    tomlComment(`${fingerprint} ${userIds[0] ?? ''}`),
  )
  return [...names, ...tomlLines('keyring', keyText(ring))]
}

/** What a table says; settings that are the default are absent. Logins that `now` has are kept. */
export function readSettings(table: TableReader, now: Archive | undefined): ArchiveSettings {
  const known = now?.settings
  if (table.has('kind')) return readLocal(table)
  const proxy = table.text('proxy')
  const all = {
    urls: table.texts('urls') ?? [],
    fallbacks: table.texts('fallbacks') ?? [],
    suites: table.texts('suites') ?? [],
    components: table.texts('components') ?? [],
    architectures: table.texts('architectures') ?? [],
  }
  const languages = table.texts('languages')
  return {
    urls: all.urls.map((url) => withKnownLogin(url, known?.urls ?? [])),
    suites: all.suites.map(normalizeSuite),
    components: all.components,
    architectures: all.architectures,
    fallbacks: all.fallbacks.map((url) => withKnownLogin(url, known?.fallbacks ?? [])),
    sources: table.boolean('sources') ?? false,
    languages: languages ?? ['en'],
    extras: readExtras(table),
    proxy: proxy && withKnownLogin(proxy, known?.proxy === undefined ? [] : [known.proxy]),
    allowExpired: table.boolean('allow-expired') ?? false,
    allowOtherSuite: table.boolean('allow-other-suite') ?? false,
    rescue: table.boolean('rescue') ?? true,
  }
}

function readExtras(table: TableReader): ArchiveSettings['extras'] {
  const named = table.texts('extras') ?? []
  const extras = extraKinds.filter((one) => named.includes(one))
  for (const [at, one] of named.entries()) {
    if (!extras.some((extra) => extra === one))
      table.fault(['extras', at], `${JSON.stringify(one)} is not one of ${extraKinds.join(', ')}`)
  }
  return extras
}

function readLocal(table: TableReader): ArchiveSettings {
  const kind = table.text('kind')
  if (kind !== undefined && kind !== 'local')
    table.fault('kind', `${JSON.stringify(kind)} is not "local"`)
  const uploaders = (table.texts('uploaders') ?? []).flatMap((line, at) => {
    const rule = parseUploader(line)
    if (!('fault' in rule)) return [rule]
    table.fault(['uploaders', at], rule.fault)
    return []
  })
  return {
    kind: 'local',
    urls: [],
    suites: table.texts('suites') ?? [],
    components: table.texts('components') ?? [],
    architectures: table.texts('architectures') ?? [],
    extras: readExtras(table),
    uploaders,
    keepVersions: table.whole('keep-versions', 0, 10_000) ?? 0,
  }
}

/** What differs between an archive's settings and those wanted, in words without secrets. */
export function settingChanges(
  now: ArchiveSettings | undefined,
  wanted: ArchiveSettings,
): StepChange[] {
  const before = now && textsOf(now)
  const after = textsOf(wanted)
  const changes = Object.entries(after).flatMap(([key, text]) => {
    const old = before?.[key] ?? (now === undefined ? undefined : '')
    const isDefault = now === undefined && text === textsOf(none)[key]
    return isDefault ? [] : changeOf(key, old, text)
  })
  return changes.map(({ what, before: old, after: text }) => {
    const shown = { what, before: old && shownUrls(old), after: text && shownUrls(text) }
    return shown.before === shown.after
      ? { ...shown, after: `${shown.after} (another login)` }
      : shown
  })
}

/** The keys in `keyring` as text of one form; `ERR_KEYRING` where there is none. */
export async function keyringText(keyring: Buffer): Promise<string> {
  return keyText(await readKeyring(keyring))
}

const none: ArchiveSettings = { urls: [], suites: [], components: [], architectures: [] }

/** Each setting as one text, defaults written out. */
function textsOf(settings: ArchiveSettings): Record<string, string> {
  const { fallbacks = [], languages = ['en'], extras = [], rescue = true } = settings
  const all = { ...settings, fallbacks }
  return {
    ...Object.fromEntries(lists.map((key) => [key, listText(all[key])])),
    sources: String(settings.sources === true),
    languages: listText(languages),
    extras: listText(extras),
    proxy: settings.proxy ?? 'none',
    'allow-expired': String(settings.allowExpired === true),
    'allow-other-suite': String(settings.allowOtherSuite === true),
    rescue: String(rescue),
    kind: settings.kind ?? 'remote',
    'keep-versions': String(settings.keepVersions ?? 0),
    uploaders: listText((settings.uploaders ?? []).map(formatUploader)),
  }
}

function keyText(ring: Keyring): string {
  return `${exportKeyring(ring).replaceAll('\r\n', '\n').trimEnd()}\n`
}

/** A URL as the file has it: without user, password and query. */
function withoutSecret(text: string): string {
  const url = URL.parse(text)
  if (url === null) return text.replace(/\/\/[^/@]*@/, '//').replace(/[?#].*$/s, '')
  url.username = ''
  url.password = ''
  url.search = ''
  url.hash = ''
  return url.href.replace(/\/+$/, '')
}

function hasSecret(text: string): boolean {
  const url = URL.parse(text)
  return url !== null && (url.username !== '' || url.password !== '' || url.search !== '')
}

function withKnownLogin(text: string, known: readonly string[]): string {
  const url = normalizeUrl(text)
  if (url === undefined || hasSecret(url)) return url ?? text
  return known.find((one) => hasSecret(one) && withoutSecret(one) === url) ?? url
}

function shownUrls(text: string): string {
  return text
    .split(' ')
    .map((word) => (word.includes('://') ? withoutSecret(word) : word))
    .join(' ')
}
