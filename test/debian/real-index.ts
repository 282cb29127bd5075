/**
 * The index of the machine's own archive, as large and odd as reality is, and pseudo-random draws from it whose seed a
 * test prints; `SLUICE_SEED` repeats a run.
 */
import { stat } from 'node:fs/promises'
import { runOk } from '../support/run.ts'
import { seedOr } from '../support/seed.ts'

const helper = '/usr/lib/apt/apt-helper'

/** The file of the largest `Packages` that apt holds, as apt compressed it; apt updates first if it holds none. */
export async function findRealIndex(): Promise<string> {
  return (await largestIndex()) ?? (await updateAndFind())
}

/** The content of that file, unpacked. */
export async function readRealIndex(): Promise<Buffer> {
  const { stdout } = await runOk(helper, ['cat-file', await findRealIndex()])
  return Buffer.from(stdout)
}

/** Numbers from 0 to below `limit`, the same ones for the same seed (xorshift, 32 bits). */
export type Draw = (limit: number) => number

export function drawFrom(seed: number): Draw {
  let state = seed | 0 || 1
  return (limit) => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) % limit
  }
}

export function newSeed(): number {
  return seedOr(process.env.SLUICE_SEED)
}

async function largestIndex(): Promise<string | undefined> {
  const { stdout } = await runOk('apt-get', [
    'indextargets',
    '--format',
    '$(FILENAME)',
    'Created-By: Packages',
  ])
  let largest: { file: string; size: number } | undefined
  for (const file of stdout.split('\n').filter((line) => line !== '')) {
    const { size } = await stat(file)
    if (largest === undefined || size > largest.size) largest = { file, size }
  }
  return largest?.file
}

async function updateAndFind(): Promise<string> {
  const env: Record<string, string> = {}
  for (const name of ['http_proxy', 'https_proxy', 'no_proxy']) {
    const value = process.env[name]
    if (value !== undefined) env[name] = value
  }
  await runOk('apt-get', ['update'], { env, timeoutMs: 900_000 })
  const file = await largestIndex()
  if (file === undefined) throw new Error('apt-get update brought no Packages index')
  return file
}
