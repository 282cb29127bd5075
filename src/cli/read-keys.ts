/**
 * Keyrings that are named on the command line, as the API takes them.
 */
import { readdir, readFile } from 'node:fs/promises'
import { AppError, systemCode } from '../base/errors.ts'

const KEYRINGS = '/usr/share/keyrings'

/** The keys in a file: as text where they are armored. */
export async function readKeys(
  file: string,
): Promise<{ keyring: string } | { keyringBase64: string }> {
  try {
    const data = await readFile(file)
    const isArmored = data.subarray(0, 200).includes('-----BEGIN PGP')
    return isArmored
      ? { keyring: data.toString('utf8') }
      : { keyringBase64: data.toString('base64') }
  } catch (error) {
    const installed = await readdir(KEYRINGS).catch(() => [])
    throw new AppError('ERR_USAGE', {
      message: `${file} cannot be read: ${systemCode(error) ?? 'no such file'}`,
      hint: installed.length > 0 ? `in ${KEYRINGS} there are ${installed.join(', ')}` : undefined,
      cause: error,
    })
  }
}
