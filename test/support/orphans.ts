/**
 * What a killed server had started (the judges of its signatures) goes on without it for a moment, and writes into its
 * folder: a test's folder is removed after that.
 */
import { readdir, readlink } from 'node:fs/promises'
import { setTimeout as pause } from 'node:timers/promises'

const PATIENCE_MS = 60_000

/** Resolves when no process works in a folder below `dir`. */
export async function orphansGone(dir: string): Promise<void> {
  const end = Date.now() + PATIENCE_MS
  while (Date.now() < end && (await worksIn(dir))) await pause(20)
}

async function worksIn(dir: string): Promise<boolean> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name))
  const places = await Promise.all(pids.map((pid) => readlink(`/proc/${pid}/cwd`).catch(() => '')))
  return places.some((place) => place.startsWith(`${dir}/`))
}
