/**
 * From a digest to where its bytes can be had upstream.
 */
import { AppError } from '../base/errors.ts'
import type { Sha256 } from '../base/sha256.ts'
import type { Db } from '../store/database.ts'
import { type Archive, listArchives } from './archive-table.ts'
import type { Source, Wanted } from './download.ts'
import { type Origin, originsOf } from './origins.ts'

/** A file that an archive named, and its URLs, those of the archive's first URL first. */
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
  const urls = found.flatMap(({ origin, archive }) => originUrls(archive, origin))
  return { ...locatedAt(first.origin), source: { urls }, archive: first.archive.name }
}

/** The same for a file whose origin is known already. */
export function locateOrigin(archive: Archive, origin: Origin): Located {
  return {
    ...locatedAt(origin),
    source: { urls: originUrls(archive, origin) },
    archive: archive.name,
  }
}

function locatedAt({ sha256, size, path }: Origin): Pick<Located, 'wanted'> {
  return { wanted: { sha256, size, label: path.slice(path.lastIndexOf('/') + 1) } }
}

function originUrls(archive: Archive, { path }: Origin): string[] {
  const encoded = path.split('/').map(encodeURIComponent).join('/').replaceAll('%3A', ':')
  return archive.settings.urls.map((url) => `${url}/${encoded}`)
}
