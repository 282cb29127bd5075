/**
 * Keeps what the server asks for others from the inside of its network: a redirect, or a name of the outside that
 * resolves to an address of the inside, leads nowhere.
 *
 * The address that was judged is the one that is connected to: the look-up itself leaves out all others, so that a name
 * which answers otherwise the second time (DNS rebinding) gains nothing.
 */
import { type LookupAddress, lookup } from 'node:dns'
import { isIP, type LookupFunction } from 'node:net'
import { AppError } from '../base/errors.ts'
import { hostKey } from '../base/host-key.ts'
import { isPublicAddress } from '../base/public-address.ts'

/** Whether this host (as `hostKey` writes it) may be at an address inside: an administrator named it. */
export type MayBeInternal = (host: string) => Promise<boolean>

/**
 * Whether the host of this URL may be asked at any address; else with `publicLookup` only. Throws `ERR_UPSTREAM_REFUSED`
 * for a URL that holds an address which may not be asked.
 */
export async function judgeHost(
  url: Pick<URL, 'hostname' | 'port'>,
  mayBeInternal: MayBeInternal,
): Promise<'anywhere' | 'public'> {
  if (await mayBeInternal(hostKey(url))) return 'anywhere'
  const address = url.hostname.replace(/^\[|\]$/g, '')
  if (isIP(address) !== 0 && !isPublicAddress(address)) throw isInside(address)
  return 'public'
}

/** Looks up a name by the system, and gives its public addresses; `ERR_UPSTREAM_REFUSED` if it has others only. */
export const publicLookup: LookupFunction = (host, options, callback) => {
  lookup(host, { ...options, all: true }, (error, found) => {
    if (error !== null) return callback(error, [])
    const addresses = found.filter(({ address }) => isPublicAddress(address))
    const [first] = addresses
    if (first === undefined) return callback(isInside(host, found), [])
    if (options.all === true) callback(null, addresses)
    else callback(null, first.address, first.family)
  })
}

function isInside(host: string, found: readonly LookupAddress[] = []): AppError {
  const at = found.length === 0 ? '' : ` (${found.map(({ address }) => address).join(', ')})`
  return new AppError('ERR_UPSTREAM_REFUSED', {
    message: `${host}${at} is no address of the internet, and nobody may be sent there`,
    hint: 'where it should be asked, name it: in the URL of an archive, or in the setting pass-hosts',
  })
}
