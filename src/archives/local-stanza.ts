/**
 * The stanzas of packages that were uploaded: the control file as it is in the package, and what an index adds.
 */
import type { CheckedDeb } from '../debian/check-deb.ts'
import { formatStanza } from '../debian/control.ts'
import { debFileName } from '../debian/deb-fields.ts'
import { poolPath } from '../debian/packages-index.ts'
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

function pairs(fields: Readonly<Record<string, string>>): [string, string][] {
  return Object.entries(fields)
}
