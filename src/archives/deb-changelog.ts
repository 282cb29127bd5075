/**
 * The changelog in a binary package: `usr/share/doc/PACKAGE/changelog.Debian.gz`, or `changelog.gz` where the package is
 * Debian's own (Policy 12.7). Where its doc directory, or the file, is a link into another package of the same source,
 * that one is read.
 */
import type { Abortable } from '../base/abortable.ts'
import { compressionOf, decompress } from '../debian/compression.ts'
import { type DebFile, readDebFile } from '../debian/deb-file.ts'
import type { OpenBlob } from '../store/blobs.ts'

/** A binary package; who looks adds what it takes to open it. */
export interface DebPackage {
  readonly package: string
  readonly architecture: string
}

export interface ChangelogSearch<Deb extends DebPackage> extends Abortable {
  /** Packages of the same source, among which links may lead. */
  readonly debs: readonly Deb[]
  /** The file of a package, which is closed when it was read; undefined if it is not to be had. */
  open(deb: Deb): Promise<OpenBlob | undefined>
}

/** The file as it lies in the package: its path tells how it is packed. */
export type PackedChangelog = Extract<DebFile, { kind: 'file' }>

const MAX_LINKS = 4
const limits = { maxFileBytes: 8 * 1024 ** 2, maxTarBytes: 2 * 1024 ** 3 }
const docFiles = ['changelog.Debian.gz', 'changelog.Debian', 'changelog.gz', 'changelog']

/** Reads the package, and those that its links lead to; tells where they lead nowhere, or to one that cannot be had. */
export async function findChangelog<Deb extends DebPackage>(
  search: ChangelogSearch<Deb>,
  first: Deb,
): Promise<PackedChangelog | 'none' | 'not here'> {
  let deb: Deb | undefined = first
  let paths = below(`usr/share/doc/${first.package}`)
  for (let links = 0; deb !== undefined && links <= MAX_LINKS; links++) {
    const found: DebFile | 'none' | 'not here' = await readDeb(search, deb, paths)
    if (found === 'none' || found === 'not here' || found.kind === 'file') return found
    const { path, target }: Extract<DebFile, { kind: 'link' }> = found
    paths = paths.includes(path) ? [target] : below(target)
    deb = packageAt(search.debs, deb, target)
  }
  return 'none'
}

/** The first bytes of the text, at most some `maxBytes`. */
export async function beginningOf(
  { path, data }: PackedChangelog,
  maxBytes: number,
  abortable: Abortable,
): Promise<Buffer> {
  async function* once(): AsyncGenerator<Buffer> {
    yield data
  }
  const pieces: Buffer[] = []
  let size = 0
  for await (const piece of decompress(compressionOf(path), once(), abortable)) {
    pieces.push(piece)
    size += piece.length
    if (size >= maxBytes) break
  }
  return Buffer.concat(pieces, Math.min(size, maxBytes))
}

function below(dir: string): string[] {
  return docFiles.map((file) => `${dir}/${file}`)
}

/** The package whose doc directory the path lies in: this one, or another of the source for the same architecture. */
function packageAt<Deb extends DebPackage>(
  debs: readonly Deb[],
  from: Deb,
  path: string,
): Deb | undefined {
  const name = /^usr\/share\/doc\/([^/]+)/.exec(path)?.[1]
  if (name === from.package) return from
  const named = debs.filter((deb) => deb.package === name)
  return named.find((deb) => deb.architecture === from.architecture) ?? named[0]
}

async function readDeb<Deb extends DebPackage>(
  { open, signal }: ChangelogSearch<Deb>,
  deb: Deb,
  paths: readonly string[],
): Promise<DebFile | 'none' | 'not here'> {
  const file = await open(deb)
  if (file === undefined) return 'not here'
  try {
    const stream = file.handle.createReadStream({ autoClose: false, highWaterMark: 256 * 1024 })
    return (await readDebFile(stream, paths, limits, { signal })) ?? 'none'
  } finally {
    await file.handle.close()
  }
}
