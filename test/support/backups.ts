/**
 * What tests that kill a backup or a restore begin with: a stopped server with one backup, and `sluice` run with a fault.
 */
import { chmod, cp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Test } from 'tap'
import type { PackageSpec } from '../../fixtures/debs.ts'
import { startProgram } from './program.ts'
import { runOk } from './run.ts'
import { makeWorld } from './world.ts'

/** Of the keys in the backup. */
export const passphrase = 'correct horse'
const isSoak = process.env.SOAK === '1'
const hello = (version: string): PackageSpec => ({
  ...{ name: 'hello', version, arch: 'amd64', content: 3000 },
})
const other: PackageSpec = { name: 'other', version: '1', arch: 'all', content: 300_000 }

/** Runs `sluice` with this fault; how it ended. */
export async function runFaulty(
  t: Test,
  args: readonly string[],
  fault: string,
): Promise<string | null> {
  const env = { SLUICE_FAULT: fault, SLUICE_BACKUP_PASSPHRASE: passphrase }
  const { signal, code, text } = await startProgram(t, args, { env }).ended
  if (signal === null && code !== 0) throw new Error(text)
  return signal
}

/** Numbers and names of the crash points to take, of those that a run passed: of each name the first or the last passing. */
export async function pointsOf(trace: string): Promise<{ nth: number; name: string }[]> {
  const names = (await readFile(trace, 'utf8')).trim().split('\n')
  const all = names.map((name, at) => ({ nth: at + 1, name }))
  const isTaken = ({ nth, name }: { nth: number; name: string }): boolean => {
    const isFirst = [...new Set(names)].indexOf(name) % 2 === 0
    return nth - 1 === (isFirst ? names.indexOf(name) : names.lastIndexOf(name))
  }
  return isSoak ? all : all.filter(isTaken)
}

/** A stopped server with one backup, and more in it since. */
export async function makeStopped(
  t: Test,
): Promise<{ dir: string; data: string; backups: string }> {
  const { dir, sluice, publish, machine } = await makeWorld(t, [hello('1'), other])
  const [backups, data] = [join(dir, 'backups'), sluice.dataDir]
  const apt = await machine('one', 'approved')
  await apt.update()
  await apt.download('hello')
  await sluice.api('POST', '/backup', { dir: backups, passphrase })
  await publish([hello('2'), other])
  await sluice.api('POST', '/archives/refresh')
  const between = { from: 'testing', to: 'approved', all: true }
  await sluice.api('POST', '/promotions', between)
  await apt.update()
  await apt.download('hello', 'other')
  await sluice.close()
  // One that is copied, not linked; and one that an earlier crash left in the backups.
  const [blob = ''] = (await runOk('find', [join(data, 'blobs'), '-size', '+200k'])).stdout.split(
    '\n',
  )
  await chmod(blob, 0o644)
  await mkdir(join(backups, 'blobs', '00'), { recursive: true })
  await writeFile(join(backups, 'blobs', '00', '0'.repeat(62)), '')
  return { dir, data, backups }
}

/** Puts a directory in place of another. */
export async function copy(from: string, to: string): Promise<void> {
  await rm(to, { recursive: true, force: true })
  await cp(from, to, { recursive: true, preserveTimestamps: true })
}

/** What is on its way, below a directory. */
export async function hiddenIn(dir: string): Promise<string[]> {
  const names = await readdir(dir, { recursive: true })
  return names.filter((name) => /(^|\/)\./.test(name))
}
