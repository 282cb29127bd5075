/**
 * What index code works with, over a real database in a test's own folder; and small Packages files for it.
 */
import { join } from 'node:path'
import { archiveMigrations } from '../../src/archives/archive-table.ts'
import { openChunkCache } from '../../src/archives/chunk-cache.ts'
import { chunkMigrations } from '../../src/archives/chunk-table.ts'
import type { IndexParts } from '../../src/archives/index-parts.ts'
import { createTreeReader } from '../../src/archives/index-tree.ts'
import { originMigrations } from '../../src/archives/origins.ts'
import { sha256Of } from '../../src/base/sha256.ts'
import { indexFormMigrations } from '../../src/channels/index-forms.ts'
import { pdiffMigrations } from '../../src/channels/pdiff-table.ts'
import { auditMigrations } from '../../src/store/audit.ts'
import { blobMigrations, openBlobStore } from '../../src/store/blobs.ts'
import { closeDatabase, openDatabase } from '../../src/store/database.ts'

const migrations = [
  ...blobMigrations,
  ...auditMigrations,
  ...archiveMigrations,
  ...originMigrations,
  ...chunkMigrations,
  ...indexFormMigrations,
  ...pdiffMigrations,
]

/** Parts in `dir`, and how to end them. */
export async function openIndexParts(
  dir: string,
): Promise<IndexParts & { close(): Promise<void> }> {
  const db = await openDatabase(join(dir, 'sluice.db'), migrations)
  const blobs = await openBlobStore(db, dir)
  const texts = await openChunkCache(blobs.tempPath())
  const members = await openChunkCache(blobs.tempPath())
  const close = async (): Promise<void> => {
    await texts.close()
    await members.close()
    await closeDatabase(db)
  }
  return { db, blobs, texts, members, trees: createTreeReader(db), close }
}

/** One package of a made-up index. */
export interface SamplePackage {
  readonly name: string
  readonly version: string
  readonly source?: string
  readonly architecture?: string
}

/** A Packages file as an archive would have it; digests follow from name, version and architecture. */
export function packagesText(packages: readonly SamplePackage[]): Buffer {
  const stanzas = packages.map(({ name, version, source, architecture = 'amd64' }) => {
    const fields = [`Package: ${name}`]
    if (source !== undefined) fields.push(`Source: ${source}`)
    fields.push(
      `Version: ${version}`,
      `Architecture: ${architecture}`,
      `Filename: pool/main/${name}_${version}_${architecture}.deb`,
      'Size: 1000',
      `SHA256: ${sha256Of(`${name} ${version} ${architecture}`)}`,
      `Description: the package ${name}`,
    )
    return `${fields.join('\n')}\n`
  })
  return Buffer.from(stanzas.join('\n'))
}

/** The same as a Sources file: a package of one tarball and its .dsc. */
export function sourcesText(packages: readonly SamplePackage[]): Buffer {
  const stanzas = packages.map(({ name, version }) => {
    const line = (file: string): string => ` ${sha256Of(`${file} ${version}`)} 1000 ${file}`
    const sums = ['.dsc', '.tar.xz'].map((ending) => line(`${name}_${version}${ending}`))
    const head = [`Package: ${name}`, `Version: ${version}`, `Directory: pool/main/${name}`]
    return [...head, 'Architecture: any all', 'Checksums-Sha256:', ...sums, ''].join('\n')
  })
  return Buffer.from(stanzas.join('\n'))
}

/** The same as a Translation file: an entry for each version. */
export function translationText(packages: readonly SamplePackage[]): Buffer {
  const stanzas = packages.map(({ name, version }) => {
    const md5 = sha256Of(`${name} ${version}`).slice(0, 32)
    return `Package: ${name}\nDescription-md5: ${md5}\nDescription-en: ${name}\n in version ${version}\n`
  })
  return Buffer.from(stanzas.join('\n'))
}

/** Numbers from 0 up to 1 that a seed decides (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
