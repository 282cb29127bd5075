/**
 * Requests that nobody should send, drawn from pieces that hurt: hosts within hosts, paths that climb, heads that say two
 * things at once, bytes of any kind.
 */

/** What the requests are about. */
export interface FuzzWorld {
  /** `HOST:PORT` of an archive, of a server that nobody may be led to, and of Sluice itself. */
  readonly known: string
  readonly inside: string
  readonly own: string
  /** Path of a file of the archive, and of one that is not to be had. */
  readonly file: string
  readonly secret: string
}

/** Numbers from 0 to 1, the same for the same seed (mulberry32). */
export function makeRandom(start: number): () => number {
  let state = start
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

type Pick = <T>(all: readonly [T, ...T[]]) => T

interface Dice {
  readonly random: () => number
  readonly pick: Pick
  /** Up to 40 bytes, as latin1. */
  readonly junk: () => string
}

function makeDice(seed: number): Dice {
  const random = makeRandom(seed)
  const junk = (): string => {
    const bytes = Array.from({ length: Math.floor(random() * 40) }, () => random() * 256)
    return Buffer.from(bytes).toString('latin1')
  }
  return { random, junk, pick: (all) => all[Math.floor(random() * all.length)] ?? all[0] }
}

/** Makes requests, the same for the same seed; latin1. */
export function makeFuzz(world: FuzzWorld, seed: number): { request(): string; random(): number } {
  const dice = makeDice(seed)
  const { random, pick, junk } = dice
  const request = (): string => {
    // Mostly what the parser takes: what comes behind it is to be tried, too.
    const isOdd = random() < 0.05
    const usual = pick(['GET', 'GET', 'GET', 'GET', 'GET', 'HEAD', 'POST', 'CONNECT'])
    const method = random() < 0.05 ? pick(['get', 'PRI', junk()]) : usual
    const line =
      method === 'CONNECT'
        ? `CONNECT ${pick([world.inside, world.known, junk()])}`
        : `${method} ${targetOf(world, dice)}`
    const odd = Array.from({ length: Math.floor(random() * 3) }, () => headerOf(dice))
    const host = isOdd ? [] : [`Host: ${hostOf(world, dice)}`]
    const headers = [...host, ...odd]
    const end = isOdd ? pick(['\n', '\r', '']) : '\r\n'
    const version = isOdd ? pick(['HTTP/1.0', 'HTTP/2.0', '']) : 'HTTP/1.1'
    const more = random() < 0.05 ? junk() : ''
    return `${[`${line} ${version}`, ...headers].join(end)}${end}${end}${more}`
  }
  return { request, random }
}

function hostOf({ known, inside }: FuzzWorld, { random, pick, junk }: Dice): string {
  const host = pick([
    known,
    known,
    inside,
    `u:p@${inside}`,
    `${known}@${inside}`,
    `${inside}#@${known}`,
  ])
  return random() < 0.1 ? `${host}${junk()}` : host
}

function pathOf({ file, secret }: FuzzWorld, { random, pick, junk }: Dice): string {
  const segments: [string, ...string[]] = ['..', '%2e%2e', '%2e%2e%2f', '..%5c', '%00', '.', '']
  const segment = (): string => pick([...segments, 'dists', 'pool', 'var', 'secret'])
  return pick<() => string>([
    () => `/${file}`,
    () => '/dists/stable/InRelease',
    () => `/${Array.from({ length: 8 }, segment).join('/')}`,
    () => `/pool/${'../'.repeat(8)}${secret}`,
    () => `/pool/${'%2e%2e/'.repeat(8)}${secret}`,
    () => `/${encodeURI(junk())}${random() < 0.1 ? junk() : ''}`,
    () => `/${'x'.repeat(random() < 0.02 ? 3000 : 30)}`,
  ])()
}

function targetOf(world: FuzzWorld, dice: Dice): string {
  const below = (): string => `${hostOf(world, dice)}${pathOf(world, dice)}`
  return dice.pick<() => string>([
    () => `http://${below()}`,
    () => `/${below()}`,
    () => `/HTTPS///${below()}`,
    () => `http://HTTPS///${below()}`,
    () => `/channels/testing/nut${pathOf(world, dice)}`,
    () => `http://${world.own}/${below()}`,
    () => `//${below()}`,
    () => `\\\\${below()}`,
    () => pathOf(world, dice),
  ])()
}

function headerOf({ random, pick, junk }: Dice): string {
  return pick<() => string>([
    () => 'Accept: text/*',
    () => 'Content-Length: 5',
    () => pick(['Transfer-Encoding: chunked', 'Transfer-Encoding: chunked, identity']),
    () => 'User-Agent: Debian APT-HTTP/1.3 (2.6.1)',
    () => `Range: bytes=${Math.floor(random() * 99)}-`,
    () => `If-Modified-Since: ${encodeURI(junk())}`,
    () => `Authorization: Basic ${encodeURI(junk())}`,
    () => 'Expect: 100-continue',
    () => 'Upgrade: websocket\r\nConnection: upgrade',
    () => (random() < 0.1 ? `X-${junk()}: ${junk()}` : 'Connection: keep-alive'),
    () => `X: ${'y'.repeat(random() < 0.02 ? 20_000 : 20)}`,
  ])()
}
