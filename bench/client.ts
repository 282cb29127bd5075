/**
 * What apt does, as far as time goes: InRelease, then the index that it names, by hash and checked.
 *
 * Signatures are not verified here (the tests do that, with the real apt): gpgv's time is the client's own.
 */
import { createHash } from 'node:crypto'
import { Agent, request } from 'node:http'
import { gunzipSync } from 'node:zlib'
import { splitStanzas } from './stanzas.ts'

const agent = new Agent({ keepAlive: true, maxSockets: 8 })

export interface Answer {
  readonly status: number
  readonly body: Buffer
}

/** One request on a kept connection; the body is read to its end. */
export function send(
  url: string,
  options: {
    readonly method?: string
    readonly headers?: Readonly<Record<string, string>>
    readonly body?: string
    readonly limitMs?: number
  } = {},
): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>()
  const signal = AbortSignal.timeout(options.limitMs ?? 60_000)
  const { method = 'GET', headers = {} } = options
  const outgoing = request(url, { agent, method, headers, signal }, (response) => {
    const parts: Buffer[] = []
    response.on('data', (part: Buffer) => parts.push(part))
    response.on('error', reject)
    response.on('end', () => {
      resolve({ status: response.statusCode ?? 0, body: Buffer.concat(parts) })
    })
  })
  outgoing.on('error', reject)
  outgoing.end(options.body)
  return promise
}

/** The body of a GET that must be answered with 200. */
export async function get(url: string): Promise<Buffer> {
  const { status, body } = await send(url)
  if (status !== 200) throw new Error(`${status} for ${url}: ${body.toString().slice(0, 200)}`)
  return body
}

export interface FetchedSuite {
  readonly inRelease: string
  /** SHA-256 of Packages.gz. */
  readonly digest: string
  readonly index: Buffer
}

/** InRelease of the suite at `base` and its Packages.gz for the architecture, by hash and checked. */
export async function fetchSuite(
  base: string,
  suite: string,
  architecture: string,
): Promise<FetchedSuite> {
  const inRelease = (await get(`${base}/dists/${suite}/InRelease`)).toString()
  const directory = `main/binary-${architecture}`
  const digest = new RegExp(`^ ([0-9a-f]{64}) +\\d+ ${directory}/Packages\\.gz$`, 'm').exec(
    inRelease,
  )?.[1]
  if (digest === undefined)
    throw new Error(`the InRelease of ${base} names no ${directory}/Packages.gz`)
  const index = await get(`${base}/dists/${suite}/${directory}/by-hash/SHA256/${digest}`)
  const found = createHash('sha256').update(index).digest('hex')
  if (found !== digest) throw new Error(`Packages.gz of ${base} is ${found} instead of ${digest}`)
  return { inRelease, digest, index }
}

/** The stanzas of a fetched index. */
export function stanzasOfIndex(fetched: FetchedSuite): string[] {
  return splitStanzas(gunzipSync(fetched.index).toString('latin1'))
}

/** Ends the kept connections. */
export function closeClient(): void {
  agent.destroy()
}
