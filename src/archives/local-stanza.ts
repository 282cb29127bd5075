/**
 * The stanzas of packages that were uploaded: the control file as it is in the package, and what an index adds.
 */
import type { CheckedDeb } from '../debian/check-deb.ts'
import { formatStanza } from '../debian/control.ts'
import { debFileName } from '../debian/deb-fields.ts'
import type { Dsc } from '../debian/dsc-file.ts'
import type { FileSums } from '../debian/file-sums.ts'
import { poolPath } from '../debian/packages-index.ts'
import { sourcePoolDirectory } from '../debian/sources-index.ts'
import { readStanza } from './index-kinds.ts'
import type { IndexEntry } from './index-parts.ts'

/** The stanza of a binary package. */
export function packageEntry(deb: CheckedDeb): IndexEntry {
  const { size, sha256 } = deb
  const filename = poolPath({ ...deb, filename: debFileName(deb) })
  const fields = [...deb.control, ...pairs({ Filename: filename, Size: `${size}`, SHA256: sha256 })]
  const text = Buffer.from(formatStanza(fields))
  return { ...readStanza('Packages', text, { start: 0, end: text.length }), text }
}

const ofDsc = ['source', 'files', 'checksums-sha1', 'checksums-sha256', 'checksums-sha512']

/** The stanza of a source package: its `.dsc`, which belongs to its files there. */
export function sourceEntry(fileName: string, dsc: Dsc, sums: FileSums): IndexEntry {
  const files = [{ name: fileName, ...sums }, ...dsc.files]
  const fields = [
    ...pairs({ Package: dsc.source }),
    ...[...dsc.stanza].filter(([name]) => !ofDsc.includes(name.toLowerCase())),
    ...pairs({
      Directory: sourcePoolDirectory(sums.sha256),
      'Checksums-Sha256': files
        .map(({ name, sha256, size }) => `\n ${sha256} ${size} ${name}`)
        .join(''),
    }),
  ]
  const text = Buffer.from(formatStanza(fields))
  return { ...readStanza('Sources', text, { start: 0, end: text.length }), text }
}

function pairs(fields: Readonly<Record<string, string>>): [string, string][] {
  return Object.entries(fields)
}
