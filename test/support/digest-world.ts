/**
 * A server with digests by a clock that tests move, from noon of 5 January 2026, UTC; and keys and certificates for those
 * who take them.
 */
import { join } from 'node:path'
import type { Test } from 'tap'
import type { PackageSpec } from '../../fixtures/debs.ts'
import { runOk } from './run.ts'
import { createTestClock, type TestClock } from './test-clock.ts'
import { makeWorld, type World } from './world.ts'

export const HOUR_MS = 3600_000
export const DAY_MS = 24 * HOUR_MS
export const beginning = Date.UTC(2026, 0, 5, 12)

export interface DigestWorld extends World {
  readonly clock: TestClock
  /** Publishes at upstream as of the world's time, and lets testing follow. */
  renew(packages: readonly PackageSpec[]): Promise<void>
  /** Moves the time on to `at` (epoch milliseconds), and waits until all that is due of digests by then is done. */
  goTo(at: number): Promise<void>
}

/** A package without anything special. */
export function pack(name: string, version: string): PackageSpec {
  return { name, version, arch: 'amd64' }
}

export interface DigestWorldOptions {
  readonly packages?: readonly PackageSpec[]
  /** How long a digest may take to be taken, if not as long as by default. */
  readonly deliverWithinMs?: number
  /** When upstream's key does. */
  readonly keyEnds?: Date | undefined
}

/** Makes it. */
export async function makeDigestWorld(
  t: Test,
  flags: Readonly<Record<string, string>>,
  { packages = [pack('hello', '1')], deliverWithinMs, keyEnds }: DigestWorldOptions = {},
): Promise<DigestWorld> {
  const clock = createTestClock(Date.now() - beginning)
  const made = new Date(clock.now() - HOUR_MS)
  const world = await makeWorld(t, packages, {
    publish: { date: made, sign: { signedAt: made } },
    key: {
      createdAt: new Date(clock.now() - DAY_MS),
      ...(keyEnds === undefined ? {} : { expiresAt: keyEnds }),
    },
    start: {
      clock,
      // It looks upstream when it is told to.
      flags: { 'log-level': 'silent', 'refresh-minutes': '10000', ...flags },
      patience: { deliverWithinMs },
    },
  })
  return {
    ...world,
    clock,
    renew: async (some) => {
      clock.advance(60_000)
      const date = new Date(clock.now() - 30_000)
      await world.publish(some, { date, sign: { signedAt: date } })
      await world.sluice.api('POST', '/archives/refresh')
    },
    goTo: async (at) => {
      clock.advance(at - clock.now())
      await settled(world.sluice, clock)
    },
  }
}

/** Resolves when nothing is due of any digest. */
export async function settled(
  { api }: Pick<World['sluice'], 'api'>,
  clock: Pick<TestClock, 'now'>,
): Promise<void> {
  for (;;) {
    const all: { enabled: boolean; nextAt: number }[] = await api('GET', '/digests')
    if (all.every((one) => !one.enabled || one.nextAt > clock.now())) return
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

export interface Certificate {
  readonly cert: string
  readonly key: string
  /** Of the authority that signed it. */
  readonly ca: string
}

/** A certificate for `name` by a new authority of its own; paths of PEM files in `dir`. */
export async function makeCertificate(dir: string, name: string): Promise<Certificate> {
  const [ca, caKey, cert, key] = ['ca.pem', 'ca.key', `${name}.pem`, `${name}.key`].map((file) =>
    join(dir, file),
  ) as [string, string, string, string]
  const san = /^[\d.]+$/.test(name) ? `IP:${name}` : `DNS:${name}`
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']
  await runOk('openssl', [
    ...['req', '-x509', ...curve, '-keyout', caKey, '-out', ca, '-days', '30'],
    ...['-subj', '/CN=Own CA', '-addext', 'keyUsage=critical,keyCertSign'],
  ])
  await runOk('openssl', [
    ...['req', '-x509', ...curve, '-keyout', key, '-out', cert, '-days', '30'],
    ...['-CA', ca, '-CAkey', caKey, '-subj', `/CN=${name}`, '-addext', `subjectAltName=${san}`],
    ...['-addext', 'basicConstraints=critical,CA:FALSE'],
  ])
  return { cert, key, ca }
}
