/**
 * What the API tells of an archive.
 */
import { type Archive, listSuites } from '../archives/archive-table.ts'
import { countStanzas } from '../archives/count-stanzas.ts'
import { readState } from '../archives/suite-state.ts'
import { redactUrl } from '../archives/upstream.ts'
import { readKeyring } from '../debian/keyring.ts'
import type { ApiContext } from './api-context.ts'

/** All that is told of an archive; credentials of its URLs are not. */
export async function show(
  { parts, jobs }: ApiContext,
  archive: Archive,
): Promise<Record<string, unknown>> {
  const { urls, components, architectures, allowExpired, allowOtherSuite, proxy } = archive.settings
  const { keys } = await readKeyring(archive.keyring)
  const suites: Record<string, unknown>[] = []
  for (const suite of await listSuites(parts.db, archive)) {
    const state = suite.state === undefined ? undefined : await readState(parts.blobs, suite.state)
    suites.push({ ...suite, ...(state === undefined ? {} : countStanzas([state])) })
  }
  return {
    name: archive.name,
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
    keys: keys.map(({ fingerprint, userIds, expiresAt }) => ({ fingerprint, userIds, expiresAt })),
    nextRefreshAt: jobs()?.nextRefreshAt,
    suites,
    fileProblems: await parts.fileProblems.list(archive.name),
  }
}
