/**
 * What is based on a channel follows it in the background: tests wait for that here.
 */
import type { TestSluice } from './sluice.ts'

/** Resolves when the channel (`web`, or `class/web` for a class) is made of the newest generation of its base. */
export async function caughtUp({ api }: TestSluice, channel: string): Promise<void> {
  const path = channel.startsWith('class/')
    ? channel.replace('class/', '/classes/')
    : `/channels/${channel}`
  for (;;) {
    const { base, error } = await api('GET', path)
    const problem = error?.message ?? base.problem?.message
    if (problem !== undefined) throw new Error(problem)
    if (!base.isBehind) return
  }
}
