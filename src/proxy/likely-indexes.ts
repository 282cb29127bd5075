/**
 * Indexes that clients of an archive without by-hash are likely to ask for next. They are fetched before its Release is
 * shown: a moment later upstream may have others under these names, and a client that has the Release could not go on.
 */
import type { Release, ReleaseFile } from '../debian/release.ts'

/** Such archives are small; of a large one not all is fetched. */
const MOST_BYTES = 16 * 1024 * 1024
const MOST_FILES = 24

/** As apt prefers them; images of Debian for containers are told to take gz. */
const FORMS = ['.xz', '.bz2', '.lzma', '.gz', '.lz4', '.zst', '']

/** Files of the Release, those of the machines that there are most of first. */
export function likelyIndexes(release: Release): ReleaseFile[] {
  const plain = [...new Set([...release.files.keys()].map(plainName))]
    .filter((path) => rankOf(path) < Number.POSITIVE_INFINITY)
    .sort((a, b) => rankOf(a) - rankOf(b))
  let bytes = 0
  const files = plain.flatMap((path) => formsOf(release, path))
  return files.slice(0, MOST_FILES).filter(({ size }) => {
    bytes += size
    return size > 0 && bytes <= MOST_BYTES
  })
}

function plainName(path: string): string {
  return path.replace(/\.(?:xz|bz2|lzma|gz|lz4|zst)$/, '')
}

function rankOf(path: string): number {
  if (path === 'Packages' || /\/binary-all\/Packages$/.test(path)) return 0
  if (/\/binary-(?:amd64|arm64)\/Packages$/.test(path)) return 1
  if (/\/i18n\/Translation-en$/.test(path)) return 2
  if (/\/binary-\w+\/Packages$/.test(path)) return 3
  return Number.POSITIVE_INFINITY
}

/** The one that apt asks for, and gz. */
function formsOf({ files }: Release, path: string): ReleaseFile[] {
  const named = FORMS.flatMap((form) => files.get(path + form) ?? [])
  return named.filter((file, at) => at === 0 || file.path.endsWith('.gz'))
}
