/**
 * What the API tells of an archive.
 */
import { type Archive, listSuites } from '../archives/archive-table.ts'
import { countStanzas } from '../archives/count-stanzas.ts'
import { describeEnd, describeKeys, isEnding } from '../archives/key-health.ts'
import { writtenSuite } from '../archives/suite-place.ts'
import { readState } from '../archives/suite-state.ts'
import { redactUrl } from '../archives/upstream.ts'
import { nowSeconds } from '../base/clock.ts'
import { formatUploader } from '../debian/uploader-lines.ts'
import type { ApiContext } from './api-context.ts'

/** All that is told of an archive; credentials of its URLs are not. */
export async function show(
  { parts, jobs }: ApiContext,
  archive: Archive,
): Promise<Record<string, unknown>> {
  const { urls, components, architectures, allowExpired, allowOtherSuite, proxy } = archive.settings
  const known = await listSuites(parts.db, archive)
  const keys = await describeKeys(archive, known, nowSeconds(parts.clock))
  const ending = keys.filter((key) => key.suites.length > 0 && isEnding(key))
  const suites: Record<string, unknown>[] = []
  for (const suite of known) {
    const state = suite.state === undefined ? undefined : await readState(parts.blobs, suite.state)
    const written = writtenSuite(archive.settings, suite.suite)
    suites.push({ ...suite, written, ...(state === undefined ? {} : countStanzas([state])) })
  }
  return {
    name: archive.name,
    kind: archive.settings.kind ?? 'remote',
    keepVersions: archive.settings.keepVersions,
    uploaders: (archive.settings.uploaders ?? []).map(formatUploader),
    urls: urls.map(redactUrl),
    fallbacks: (archive.settings.fallbacks ?? []).map(redactUrl),
    components,
    architectures,
    sources: archive.settings.sources === true,
    languages: archive.settings.languages ?? ['en'],
    extras: archive.settings.extras ?? [],
    allowExpired: allowExpired === true,
    allowOtherSuite: allowOtherSuite === true,
    rescue: { isOn: archive.settings.rescue !== false, ...parts.rescue.status(archive.name) },
    proxy: proxy === undefined ? undefined : redactUrl(proxy),
    keys: keys.map(({ fingerprint, userIds, expiresAt, state, suites: signs, warnings }) => {
      return { fingerprint, userIds, expiresAt, state, signs, warnings }
    }),
    keyProblems: ending.map((key) => ({ ...describeEnd(archive.name, key), state: key.state })),
    nextRefreshAt: jobs()?.nextRefreshAt,
    isOffline: parts.upstream.isOffline,
    suites,
    fileProblems: await parts.fileProblems.list(archive.name),
  }
}
