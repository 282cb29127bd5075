/**
 * Small packages made in memory, many at once.
 */
import { createHash } from 'node:crypto'
import { makeDeb } from '../../src/debian/make-deb.ts'

export interface SmallDeb {
  readonly name: string
  /** `NAME_VERSION_amd64.deb` */
  readonly file: string
  readonly bytes: Buffer
  readonly sha256: string
}

/** A package of this name; the same words give the same bytes. */
export async function makeSmallDeb(name: string, version = '1.0'): Promise<SmallDeb> {
  const fields = {
    Package: name,
    Version: version,
    Architecture: 'amd64',
    Maintainer: 'Fixture Maintainers <fixtures@archive.example>',
    Description: `${name}, made for tests`,
  }
  const files = [{ path: `usr/share/doc/${name}/about`, data: `${name} ${version}\n` }]
  const { bytes } = await makeDeb({ control: Object.entries(fields), files, at: 1_000_000_000 })
  const sha256 = createHash('sha256').update(bytes).digest('hex')
  return { name, file: `${name}_${version}_amd64.deb`, bytes, sha256 }
}
