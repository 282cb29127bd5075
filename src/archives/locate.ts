/**
 * From a digest to where its bytes can be had upstream.
 */
import { AppError } from '../base/errors.ts'
import type { Sha256 } from '../base/sha256.ts'
import type { Db } from '../store/database.ts'
import { type Archive, listArchives } from './archive-table.ts'
import type { Source, Wanted } from './download.ts'
import { type Origin, originsOf } from './origins.ts'
import { urlBelow } from './suite-place.ts'

/** A file that an archive named, and its URLs, those of the archive's first URL first; the archive's fallbacks apart. */
export interface Located {
  readonly wanted: Wanted
  readonly source: Source
  /** Name of the archive that is asked first. */
  readonly archive: string
}

/** Where this file can be had; `ERR_NOT_FOUND` if no archive that is still here named it. */
export async function locate(db: Db, sha256: Sha256): Promise<Located> {
  const archives = new Map((await listArchives(db)).map((archive) => [archive.id, archive]))
  const found = (await originsOf(db, sha256)).flatMap((origin) => {
    const archive = archives.get(origin.archiveId)
    return archive === undefined ? [] : [{ origin, archive }]
  })
  const first = found[0]
  if (first === undefined) {
    throw new AppError('ERR_NOT_FOUND', {
      message: `no archive here names the file ${sha256}`,
      hint: 'its archive was removed, or the URL is wrong',
    })
  }
  const sources = found.map(({ origin, archive }) => originSource(archive, origin))
  const source = {
    urls: sources.flatMap((one) => one.urls),
    fallbacks: sources.flatMap((one) => one.fallbacks ?? []),
  }
  return { ...locatedAt(first.origin), source, archive: first.archive.name }
}

/** The same for a file whose origin is known already. */
export function locateOrigin(archive: Archive, origin: Origin): Located {
  return {
    ...locatedAt(origin),
    source: originSource(archive, origin),
    archive: archive.name,
  }
}

function locatedAt({ sha256, size, path }: Origin): Pick<Located, 'wanted'> {
  return { wanted: { sha256, size, label: path.slice(path.lastIndexOf('/') + 1) } }
}

function originSource({ settings }: Archive, { path }: Origin): Source {
  const below = (roots: readonly string[] | undefined): string[] =>
    (roots ?? []).flatMap((root) => {
      const asApt = urlBelow(root, path)
      // Some write the URL into Filename: what apt then asks for, not every server of files has.
      const asWritten = asApt.replaceAll(/%25(?=[0-9A-Fa-f]{2})/g, '%')
      return asWritten === asApt ? [asApt] : [asApt, asWritten]
    })
  return { urls: below(settings.urls), fallbacks: below(settings.fallbacks) }
}
