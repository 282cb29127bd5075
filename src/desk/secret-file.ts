/**
 * Secrets that administrators keep in files of their own: read when they are needed, so that one may be replaced while the
 * server runs; never said again.
 */
import { open } from 'node:fs/promises'
import { AppError, systemCode } from '../base/errors.ts'

const MOST_BYTES = 4096

/** The first lines of the file; `ERR_DELIVERY` if it has fewer, cannot be read, or everybody may read it. */
export async function readSecretLines(
  setting: string,
  path: string,
  count: number,
): Promise<string[]> {
  const text = await readText(setting, path)
  const lines = text.split(/\r?\n/).slice(0, count)
  if (lines.length === count && lines.every((line) => line !== '')) return lines
  throw new AppError('ERR_DELIVERY', {
    message: `${setting}: ${path} has not what belongs there`,
    hint: count === 2 ? 'user and password, a line each' : 'the secret, on its first line',
  })
}

async function readText(setting: string, path: string): Promise<string> {
  try {
    const file = await open(path, 'r')
    try {
      const { mode } = await file.stat()
      if ((mode & 0o007) !== 0) {
        throw new AppError('ERR_DELIVERY', {
          message: `${setting}: everybody may read ${path}`,
          hint: `chmod o= ${path}`,
        })
      }
      const { buffer, bytesRead } = await file.read(Buffer.alloc(MOST_BYTES), 0, MOST_BYTES, 0)
      return buffer.toString('utf8', 0, bytesRead)
    } finally {
      await file.close()
    }
  } catch (error) {
    if (error instanceof AppError) throw error
    const reason = systemCode(error) ?? 'unknown'
    throw new AppError('ERR_DELIVERY', {
      message: `${setting}: ${path} cannot be read: ${reason}`,
      hint: 'the user that the server runs as must be able to read it',
    })
  }
}
