/**
 * Vendors' archives (vendor-styles.ts) on a host of theirs and a CDN, a Sluice, and machines: on a channel, and with the
 * vendor's own line.
 */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Test } from 'tap'
import { makeSigningKey, type SigningKey } from '../../fixtures/signing-key.ts'
import { placeOf } from '../../fixtures/vendor-archive.ts'
import { createApt, type TestApt } from './apt.ts'
import { runSluice } from './program.ts'
import type { RunResult } from './run.ts'
import { startSluice, type TestSluice } from './sluice.ts'
import { testDir } from './test-dir.ts'
import { startUpstream, type TestUpstream } from './upstream-server.ts'
import { publishVendor, type VendorStyle, vendorStyles, writeVendorKeys } from './vendor-styles.ts'
import { clean, troubles } from './world.ts'

export interface VendorsWorld {
  readonly dir: string
  /** What vendors publish lies below, each in a folder. */
  readonly files: string
  readonly upstream: TestUpstream
  /** Another host, which has the files of those that redirect to it. */
  readonly cdn: TestUpstream
  readonly cdnFiles: string
  readonly sluice: TestSluice
  readonly key: SigningKey
  readonly keyrings: { readonly armored: string; readonly binary: string }
  /** Where the vendor's archive is. */
  url(style: VendorStyle): string
  /** `sluice …`, at this server. */
  run(...args: string[]): Promise<RunResult>
  /** Adds the archive as docs/vendors.md tells, and a channel `on-NAME` that follows it. */
  add(style: VendorStyle): Promise<RunResult>
  /** A machine on that channel. */
  onChannel(style: VendorStyle): Promise<TestApt>
  /** A machine with the vendor's own line, that reaches the vendor by itself or through Sluice. */
  withLine(style: VendorStyle, way: 'direct' | 'proxied'): Promise<TestApt>
  /** The vendor's bytes of each package of the style, by the name of the package. */
  bytes(style: VendorStyle): Promise<Map<string, Buffer>>
}

/** Makes it with these styles published; those of `cdn` have nothing but redirects at the vendor. */
export async function makeVendorsWorld(
  t: Test,
  styles: readonly VendorStyle[] = vendorStyles,
): Promise<VendorsWorld> {
  const dir = testDir(t)
  const key = await makeSigningKey(join(dir, 'keys'), 'Vendor <vendor@archive.example>')
  const other = await makeSigningKey(join(dir, 'keys'), 'Older <older@archive.example>')
  const keyrings = await writeVendorKeys(dir, key, other)
  const files = join(dir, 'vendors')
  const cdnFiles = join(dir, 'cdn')
  for (const style of styles) await publishVendor(onCdn(style) ? cdnFiles : files, style, [key])
  const upstream = await startUpstream(files)
  const cdn = await startUpstream(cdnFiles)
  // A CDN of the internet may be asked; this one is on this machine.
  const flags = { 'pass-hosts': new URL(onOtherName(cdn)).host }
  const sluice = await startSluice(join(dir, 'var'), { flags })
  t.teardown(async () => {
    for (const one of [sluice, upstream, cdn]) await one.close()
  })
  await redirectAll(upstream, cdn, cdnFiles)
  const url = ({ name, below }: VendorStyle): string =>
    [upstream.url, name, ...(below === undefined ? [] : [below])].join('/')
  const machine = async (name: string, line: string, proxy?: string): Promise<TestApt> =>
    createApt(join(dir, name), { sources: line, ...(proxy === undefined ? {} : { proxy }) })
  const run: VendorsWorld['run'] = (...args) => runSluice(['--data', sluice.dataDir, ...args])
  return {
    ...{ dir, files, upstream, cdn, cdnFiles, sluice, key, keyrings, url, run },
    add: async (style) => {
      const { name, options } = style
      const how = [...options.split(' '), '--arch', 'amd64', '--keyring', keyrings.binary]
      const added = await run('archive', 'add', name, `${url(style)}/`, ...how)
      await sluice.api('POST', '/channels', { name: `on-${name}`, follow: [name] })
      return added
    },
    onChannel: async ({ name, channelLine }) => {
      const home = `channel-${name}`
      const apt = await machine(home, '')
      const at = `${sluice.url}/channels/on-${name}`
      const keyPath = join(dir, home, 'sluice.asc')
      await apt.run('/usr/lib/apt/apt-helper', ['download-file', `${at}/key.asc`, keyPath])
      await apt.setSources(`deb [signed-by=${keyPath}] ${at}/${name} ${channelLine}`)
      return apt
    },
    withLine: (style, way) => {
      const line = `deb [signed-by=${keyrings.binary}] ${url(style)}/ ${style.line}`
      return machine(`${way}-${style.name}`, line, way === 'proxied' ? sluice.url : undefined)
    },
    bytes: async (style) => {
      const root = join(onCdn(style) ? cdnFiles : files, style.name, style.below ?? '')
      const found = new Map<string, Buffer>()
      for (const one of style.packages)
        found.set(one.spec.name, await readFile(join(root, placeOf(one))))
      return found
    },
  }
}

/** The .debs in apt's cache, by the name of the package. */
export async function cachedDebs(apt: TestApt): Promise<Map<string, Buffer>> {
  const found = new Map<string, Buffer>()
  for (const name of await apt.cached()) {
    const data = await readFile(join(apt.dir, 'var/cache/apt/archives', name))
    found.set(name.replace(/_.*/, ''), data)
  }
  return found
}

function onCdn({ name }: VendorStyle): boolean {
  return name === 'cluster'
}

/** Another name than the vendor's, so that it is another host to whoever looks at names. */
function onOtherName({ url }: TestUpstream): string {
  return url.replace('127.0.0.1', 'localhost')
}

async function redirectAll(
  upstream: TestUpstream,
  cdn: TestUpstream,
  cdnFiles: string,
): Promise<void> {
  const entries = await readdir(cdnFiles, { recursive: true, withFileTypes: true }).catch(() => [])
  for (const entry of entries) {
    if (!entry.isFile()) continue
    const path = join(entry.parentPath, entry.name).slice(cdnFiles.length)
    const to = `${onOtherName(cdn)}${encodeURI(path)}`
    upstream.fault(path, { kind: 'redirect', to, status: 302 })
  }
}

/** What a machine gets: the update, the download, and which files are the vendor's. */
export async function outcomeAt(
  world: VendorsWorld,
  style: VendorStyle,
  apt: TestApt,
): Promise<{ update: object; download: object; same: string[] }> {
  const update = await apt.update()
  const names = style.packages.map(({ spec }) => spec.name)
  const download = await apt.download(...names)
  const debs = await cachedDebs(apt)
  const real = await world.bytes(style)
  const same = names.filter((name) => real.get(name)?.equals(debs.get(name) ?? Buffer.alloc(0)))
  return { update: troubles(update), download: troubles(download), same }
}

/** Adds archives of these styles, and has apt take their packages by a channel, without us, and through the proxy. */
export async function serveAll(t: Test, styles: readonly VendorStyle[]): Promise<void> {
  const world = await makeVendorsWorld(t, styles)
  for (const style of styles) {
    const { name } = style
    const added = await world.add(style)
    t.equal(added.code, 0, `${name}: ${added.stderr}`)
    const same = style.packages.map(({ spec }) => spec.name)
    const all = { update: clean, download: clean, same }
    t.same(await outcomeAt(world, style, await world.onChannel(style)), all, `${name}: channel`)
    const direct = await outcomeAt(world, style, await world.withLine(style, 'direct'))
    t.match(direct, { same }, `${name}: without us`)
    const proxied = await outcomeAt(world, style, await world.withLine(style, 'proxied'))
    t.same(proxied, direct, `${name}: proxy`)
  }
}
