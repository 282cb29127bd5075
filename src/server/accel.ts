/**
 * Files of the store that a web server in front sends in our place (setting `accel-redirect`): the answer names the file
 * below that server's own path, and it does the rest, ranges too. See docs/nginx.md.
 *
 * Only who is named as a front is answered so: for all others X-Accel-Redirect would be an empty file. Only what is called
 * by its digest, since the front takes Last-Modified from the file.
 */
import type { Config } from '../base/config.ts'
import type { Sha256 } from '../base/sha256.ts'
import { type Asking, createFronts, type Fronts } from './fronts.ts'

export type AccelSettings = Pick<Config, 'front' | 'accelRedirect'>

const known = new WeakMap<AccelSettings, Fronts>()

/** The path by which the front that asks has this blob; undefined where it is to be sent from here. */
export function accelPath(
  settings: AccelSettings,
  request: Asking,
  blob: { readonly sha256: Sha256; readonly isMutable: boolean; readonly modifiedAt?: unknown },
): string | undefined {
  const { front, accelRedirect } = settings
  if (accelRedirect === undefined || blob.isMutable || blob.modifiedAt !== undefined)
    return undefined
  const fronts = known.get(settings) ?? createFronts(front)
  known.set(settings, fronts)
  if (!fronts.isBy(request)) return undefined
  return `${accelRedirect}${blob.sha256.slice(0, 2)}/${blob.sha256.slice(2)}`
}
