/**
 * The watched folder: what is laid into `INCOMING/ARCHIVE/` is published to that local archive, and is gone from there then. A
 * `.changes` takes along what it lists, which has to lie beside it; a .deb goes by itself. What is refused moves to `rejected/`
 * there, with a file `NAME.reason` beside it.
 *
 * Where the archive knows keys of uploaders, they have to have signed: a .deb alone is refused then. Else whoever may write to the
 * folder may publish. What is still being written is left alone: nothing is refused while one of its files is younger than ten
 * seconds.
 */
import { copyFile, lstat, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Archive, listArchives } from '../archives/archive-table.ts'
import { takesSignedOnly } from '../archives/read-changes.ts'
import { takeDeb } from '../archives/take-deb.ts'
import type { Abortable } from '../base/abortable.ts'
import { AppError, systemCode, toAppError } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import { readChanges } from '../debian/changes-file.ts'
import { unverified } from '../debian/upload-signature.ts'
import type { ServerParts } from './parts.ts'
import { checkFileName, inFolder, sessionFolder, takeSession } from './upload-session.ts'

const SETTLED_MS = 10_000
/** So long a `.changes` waits for what it lists. */
const GIVEN_UP_MS = 24 * 3600_000
const MOST_CHANGES_BYTES = 4 * 1024 * 1024
const WHO = 'incoming'

interface Place {
  readonly archive: Archive
  readonly dir: string
}

/** Takes what lies there now; true if all could be looked at. */
export async function takeIncoming(
  parts: ServerParts,
  incoming: string,
  log: Log,
  { signal }: Abortable = {},
): Promise<boolean> {
  for (const archive of await listArchives(parts.db)) {
    if (archive.settings.kind !== 'local') continue
    const place = { archive, dir: join(incoming, archive.name) }
    const names = await filesIn(place.dir)
    // First what takes others along.
    const changes = names.filter((name) => name.endsWith('.changes'))
    const listed = new Set<string>()
    for (const name of changes) for (const one of await listedIn(place.dir, name)) listed.add(one)
    for (const name of changes) await takeOne(parts, place, name, log, signal)
    const debs = names.filter((name) => name.endsWith('.deb') && !listed.has(name))
    for (const name of debs) await takeOne(parts, place, name, log, signal)
  }
  return true
}

async function takeOne(
  parts: ServerParts,
  place: Place,
  name: string,
  log: Log,
  signal: AbortSignal | undefined,
): Promise<void> {
  signal?.throwIfAborted()
  const { archive, dir } = place
  const files = [name, ...(name.endsWith('.changes') ? await listedIn(dir, name) : [])]
  const end = parts.uploadFollow.begin()
  try {
    const isTaken = name.endsWith('.changes')
      ? await takeSet(parts, place, name, files)
      : await takeAlone(parts, place, name)
    if (!isTaken) return
    for (const file of files) await rm(join(dir, file), { force: true })
    log.info({ archive: archive.name, file: name }, 'published from the incoming folder')
  } catch (error) {
    const known = toAppError(error)
    const isOver = ['ERR_INTERNAL', 'ERR_DISK_FULL', 'ERR_STORE', 'ERR_INTERRUPTED']
    if (isOver.includes(known.code) || !(await isSettled(dir, files, SETTLED_MS))) return
    await reject(dir, files, known)
    log.warn({ archive: archive.name, file: name, problem: known.message }, 'upload refused')
  } finally {
    end()
  }
}

async function takeSet(
  parts: ServerParts,
  { archive, dir }: Place,
  name: string,
  files: readonly string[],
): Promise<boolean> {
  const here = new Set(await filesIn(dir))
  const missing = files.filter((file) => !here.has(file))
  if (missing.length > 0) {
    if (!(await isSettled(dir, [name], GIVEN_UP_MS))) return false
    throw new AppError('ERR_PACKAGE', {
      message: `${name}: ${missing.join(', ')} did not come with it`,
      hint: 'lay all files of the upload there, the .changes last',
    })
  }
  const folder = sessionFolder(WHO, archive.name, name)
  for (const file of files) await copyIn(parts, join(dir, file), { folder, file })
  const mustBeSigned = takesSignedOnly(archive)
  const input = { archive: archive.name, folder, name, who: WHO, mustBeSigned }
  return (await inFolder(folder, () => takeSession(parts, input))).kind === 'published'
}

async function takeAlone(
  parts: ServerParts,
  { archive, dir }: Place,
  name: string,
): Promise<boolean> {
  if (takesSignedOnly(archive)) {
    throw new AppError('ERR_REFUSED', {
      message: `${name} is not signed, and ${archive.name} takes only what its uploaders have signed`,
      hint: 'lay a signed .changes there with it',
    })
  }
  const part = { folder: sessionFolder(WHO, archive.name, name), file: name }
  await copyIn(parts, join(dir, name), part)
  const input = { archive: archive.name, part, fileName: name, who: WHO }
  const { published } = await takeDeb(parts, input)
  if (published.outcome === 'published') parts.uploadFollow.note(archive.name)
  return true
}

async function copyIn(
  { partFiles }: ServerParts,
  from: string,
  part: { readonly folder: string; readonly file: string },
): Promise<void> {
  checkFileName(part.file)
  const to = partFiles.path(part)
  await mkdir(join(to, '..'), { recursive: true, mode: 0o700 })
  await copyFile(from, to)
}

/** The files that it lists, whoever signed it; none where it cannot be read. */
async function listedIn(dir: string, name: string): Promise<string[]> {
  try {
    const path = join(dir, name)
    if ((await lstat(path)).size > MOST_CHANGES_BYTES) return []
    const { files } = readChanges(name, unverified(name, await readFile(path)))
    return files.map((file) => file.name)
  } catch {
    return []
  }
}

async function isSettled(dir: string, files: readonly string[], ms: number): Promise<boolean> {
  const times = files.map(async (file) => {
    const found = await lstat(join(dir, file)).catch(() => undefined)
    return found?.mtimeMs ?? 0
  })
  return Math.max(...(await Promise.all(times))) < Date.now() - ms
}

async function reject(dir: string, files: readonly string[], error: AppError): Promise<void> {
  const to = join(dir, 'rejected')
  await mkdir(to, { recursive: true })
  const hint = error.hint === undefined ? '' : `hint: ${error.hint}\n`
  await writeFile(join(to, `${files[0]}.reason`), `${error.message}\n${hint}`)
  for (const file of files) await rename(join(dir, file), join(to, file)).catch(ignoreMissing)
}

function ignoreMissing(error: unknown): void {
  if (systemCode(error) !== 'ENOENT') throw error
}

/** Plain files, no links. */
async function filesIn(dir: string): Promise<string[]> {
  try {
    const entries = await readdir(dir, { withFileTypes: true })
    return entries.filter((entry) => entry.isFile()).map((entry) => entry.name)
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return []
    throw error
  }
}
