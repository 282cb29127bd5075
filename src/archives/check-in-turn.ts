/**
 * Packages that were uploaded are read two at once at the most, since each may take a hundred megabytes and a processor.
 */
import type { Abortable } from '../base/abortable.ts'
import { createSlots } from '../base/mutex.ts'
import type { ByteSource } from '../debian/byte-source.ts'
import { type CheckedDeb, checkDeb } from '../debian/check-deb.ts'
import { packFileList } from './file-lists.ts'

export interface ReadDeb extends Omit<CheckedDeb, 'paths'> {
  /** Which files it has, packed; where that was asked for. */
  readonly fileList?: Buffer | undefined
}

export interface ReadOptions extends Abortable {
  readonly listFiles?: boolean | undefined
}

const inTurn = createSlots(2)

/** Checks a .deb when it is its turn; refusals are `ERR_PACKAGE` and `ERR_TOO_LARGE`. */
export function checkInTurn(
  read: () => ByteSource,
  { listFiles = false, signal }: ReadOptions = {},
): Promise<ReadDeb> {
  return inTurn(async () => {
    const { paths, ...deb } = await checkDeb(read(), { listPaths: listFiles, signal })
    return paths === undefined ? deb : { ...deb, fileList: await packFileList(paths) }
  })
}
