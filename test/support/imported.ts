/**
 * First starts of `sluice serve` as processes: an upstream `nut` with the package `hello`, and the apt sources (told by
 * APT_CONFIG) that a start imports it from.
 */
import { join } from 'node:path'
import type { Test } from 'tap'
import type { PublishOptions } from '../../fixtures/archive-spec.ts'
import type { PackageSpec } from '../../fixtures/debs.ts'
import { makeArchive } from '../../fixtures/make-archive.ts'
import { makeSigningKey } from '../../fixtures/signing-key.ts'
import { createApt } from './apt.ts'
import { type Program, type ProgramOptions, startProgram } from './program.ts'
import { startUpstream, type TestUpstream } from './upstream-server.ts'

/** Where upstream has the package `hello`. */
export const helloPath = '/nut/pool/main/h/hello/hello_1_amd64.deb'
/** More bytes than a server holds back until the digest was right. */
export const helloBytes = 400_000

/** The line of a server that is ready; the group is its URL. */
export const readyAt = /^(?:ready +)?(http:\/\/127\.0\.0\.1:\d+)\b.*stop with Ctrl-C$/m

/** What a first start imports. */
export interface Sources {
  readonly env: { readonly APT_CONFIG: string }
  /** The data directory, not made yet. */
  readonly data: string
}

/** Files of an upstream for all tests of a file. */
export interface ImportBed {
  /** Publishes `hello` as another archive of this name. */
  publish(name: string, options: PublishOptions): Promise<void>
  /** Serves the files; closed with the test. */
  upstream(t: Test): Promise<TestUpstream>
  /** Sources that name these archives, in a folder of their own. */
  sources(name: string, urls: readonly string[]): Promise<Sources>
  /** A server that has imported the archive, and the URL of the package on `approved`. */
  serving(
    t: Test,
    name: string,
    options?: ProgramOptions,
  ): Promise<{
    readonly upstream: TestUpstream
    readonly data: string
    readonly server: Program
    readonly url: string
    /** URL of the package's file on `approved`. */
    deb(name: string): Promise<string>
  }>
}

/** Publishes below `dir`. */
export async function makeImportBed(
  dir: string,
  more: readonly PackageSpec[] = [],
): Promise<ImportBed> {
  const key = await makeSigningKey(join(dir, 'keys'), 'Up <up@archive.example>')
  const hello = { name: 'hello', version: '1', arch: 'amd64', content: helloBytes }
  const suite = { suite: 'stable', components: ['main'], architectures: ['amd64'] }
  const packages = [hello, ...more]
  const publish: ImportBed['publish'] = async (name, options) => {
    await makeArchive(join(dir, 'files', name), {
      key,
      suites: [{ ...suite, ...options, packages }],
    })
  }
  await publish('nut', {})
  const upstream: ImportBed['upstream'] = async (t) => {
    const started = await startUpstream(join(dir, 'files'))
    t.teardown(() => started.close())
    return started
  }
  const sources: ImportBed['sources'] = async (name, urls) => {
    const lines = urls.map((url) => `deb [signed-by=${key.publicAsc}] ${url} stable main`)
    const apt = await createApt(join(dir, name, 'apt'), { sources: lines.join('\n') })
    return { env: { APT_CONFIG: join(apt.dir, 'apt.conf') }, data: join(dir, name, 'var') }
  }
  return {
    publish,
    upstream,
    sources,
    serving: async (t, name, options = {}) => {
      const up = await upstream(t)
      const { env, data } = await sources(name, [`${up.url}/nut`])
      const server = serve(t, data, { ...options, env })
      const url = await server.says(readyAt)
      const deb = (one: string): Promise<string> => findDeb(`${url}/channels/approved/nut`, one)
      return { upstream: up, data, server, url, deb }
    },
  }
}

/** `sluice serve` over this data directory, on a free port unless told. */
export function serve(
  t: Test,
  data: string,
  options: ProgramOptions & { readonly args?: readonly string[] } = {},
): Program {
  const { args = ['--listen', '127.0.0.1:0'], ...rest } = options
  return startProgram(t, ['serve', '--data', data, ...args], rest)
}

async function findDeb(base: string, name: string): Promise<string> {
  const index = await fetch(`${base}/dists/stable/main/binary-amd64/Packages.gz`)
  const unpacked = index.body?.pipeThrough(new DecompressionStream('gzip'))
  const text = await new Response(unpacked ?? null).text()
  const stanza = text.split('\n\n').find((one) => one.startsWith(`Package: ${name}\n`)) ?? ''
  const path = /^Filename: (.*)$/m.exec(stanza)?.[1]
  if (path === undefined) throw new Error(`${name} is not in ${text}`)
  return `${base}/${path}`
}
