/**
 * A flat archive of a vendor with two packages, and what is odd about it: how it is published, added, and had by apt.
 */
import type { Test } from 'tap'
import type { VendorPackage, VendorSpec } from '../../fixtures/vendor-archive.ts'
import { publishVendor, type VendorStyle } from './vendor-styles.ts'
import { cachedDebs, type VendorsWorld } from './vendors-world.ts'
import { clean, troubles } from './world.ts'

/** A package of amd64. */
export const tool: VendorPackage = {
  spec: { name: 'tool', version: '1.0', arch: 'amd64', content: 3000 },
  filename: './tool_1.0_amd64.deb',
}
/** One of all architectures, with an epoch. */
export const other: VendorPackage = {
  spec: { name: 'other', version: '1:2.0', arch: 'all' },
  filename: 'other.deb',
}

/** A flat archive with these two, and what is odd about it. */
export function styleOf(name: string, odd: Partial<VendorSpec> = {}): VendorStyle {
  return {
    ...{ name, like: 'an odd one', options: '--suite /', line: '/', channelLine: 'flat main' },
    packages: [tool, other],
    spec: {
      place: '',
      indexes: { Packages: [tool, other] },
      forms: ['gz'],
      fields: { Origin: 'Odd' },
      signed: ['InRelease', 'Release'],
      ...odd,
    },
  }
}

/** Publishes it, adds it, and tells what the refresh came to. */
export async function addOdd(world: VendorsWorld, style: VendorStyle): Promise<string> {
  await publishVendor(world.files, style, [world.key], style.spec)
  const { stdout, stderr } = await world.add(style)
  return `${stdout}${stderr}`
}

/** Real apt on a channel has these of it, byte for byte. */
export async function takes(t: Test, world: VendorsWorld, style: VendorStyle, names: string[]) {
  const apt = await world.onChannel(style)
  t.same(troubles(await apt.update()), clean, style.name)
  t.same(troubles(await apt.download(...names)), clean, style.name)
  const debs = await cachedDebs(apt)
  const real = await world.bytes(style)
  for (const name of names) t.ok(real.get(name)?.equals(debs.get(name) ?? Buffer.alloc(0)), name)
}
