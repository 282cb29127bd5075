/**
 * The control.tar of a .deb: plain files in one directory, `control` among them (deb(5), Policy 6). What dpkg runs or reads
 * as lists is kept small; sums and symbols may be long.
 */
import type { ByteSource } from './byte-source.ts'
import { checkFields, type DebFields, type DebWarning } from './deb-fields.ts'
import { createPieceReader } from './piece-reader.ts'
import { type TarItem, tarItems } from './tar-entries.ts'
import { beyond, buildAgain, quoted, refused } from './upload-refusal.ts'

export interface ControlTar {
  readonly fields: DebFields
  /** Without a leading slash. */
  readonly conffiles: readonly string[]
  readonly warnings: readonly DebWarning[]
}

const maxFileBytes = 1024 ** 2
const mostFiles = 1000
const long = new Set(['md5sums', 'sha256sums', 'symbols', 'shlibs'])
const scripts = new Set(['preinst', 'postinst', 'prerm', 'postrm', 'config'])

/** Reads the archive to its end; `plain` are its bytes, bounded. */
export async function checkControlTar(plain: ByteSource, member: string): Promise<ControlTar> {
  const bytes = createPieceReader(plain)
  const seen = new Set<string>()
  const warnings: DebWarning[] = []
  let control: Buffer | undefined
  let conffiles: string[] = []
  try {
    for await (const item of tarItems(bytes, member)) {
      const name = nameOf(item, member)
      if (name === undefined) continue
      if (seen.has(name)) throw bad(item, member, `there are two files ${quoted(name)}`)
      seen.add(name)
      if (seen.size > mostFiles)
        throw beyond('control-files', `more than ${mostFiles} files`, { member })
      if (long.has(name)) continue
      if (item.size > maxFileBytes)
        throw beyond('control-size', `${name} is larger than ${maxFileBytes} bytes`, {
          ...{ member, offset: item.offset },
        })
      if (name === 'control') control = await item.content(maxFileBytes)
      else if (name === 'conffiles') conffiles = readConffiles(await item.content(maxFileBytes))
      else if (scripts.has(name)) warnings.push(...(await scriptWarnings(name, item)))
    }
  } finally {
    await bytes.close()
  }
  if (control === undefined)
    throw refused({ reason: 'control-missing', what: 'no control file', hint: buildAgain, member })
  return { fields: checkFields(control), conffiles, warnings }
}

/** The file's name; undefined for the directory that they all lie in. */
function nameOf(item: TarItem, member: string): string | undefined {
  const isRoot = item.name === '.' || item.name === './'
  if (isRoot && item.type === 'directory') return undefined
  const name = item.name.replace(/^\.\//, '')
  if (item.type !== 'file') throw bad(item, member, `${quoted(name)} is no file but a ${item.type}`)
  if (!/^[A-Za-z0-9][A-Za-z0-9_.+-]{0,99}$/.test(name))
    throw bad(item, member, `${quoted(name)} is no name of a control file`)
  return name
}

async function scriptWarnings(name: string, item: TarItem): Promise<DebWarning[]> {
  const text = await item.content(maxFileBytes)
  const found: DebWarning[] = []
  const warn = (message: string): void => {
    found.push({ reason: 'script', message: `${name} ${message}` })
  }
  if (text.length > 0 && text.toString('latin1', 0, 2) !== '#!' && text[0] !== 0x7f)
    warn('does not begin with #!: dpkg cannot run it')
  if ((item.mode & 0o111) === 0 && name !== 'config') warn('is not executable')
  return found
}

/** A line may begin with the flag `remove-on-upgrade` (deb-conffiles(5)), whose file is not in the package. */
function readConffiles(data: Buffer): string[] {
  return data
    .toString()
    .split('\n')
    .filter((line) => line.startsWith('/'))
    .map((line) => line.slice(1).trimEnd())
}

function bad(item: TarItem, member: string, what: string): Error {
  return refused({ reason: 'control-tar', what, hint: buildAgain, member, offset: item.offset })
}
