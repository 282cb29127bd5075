/**
 * What is based on a channel follows it in the background: tests wait for that here. And machines that are on a class.
 */
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { createApt, type TestApt } from './apt.ts'

interface Server {
  readonly url: string
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers by name, and a wrong name fails the test
  api(method: string, path: string, body?: object): Promise<any>
}

/** Resolves when the channel (`web`, or `class/web` for a class) is made of the newest generation of its base. */
export async function caughtUp({ api }: Server, channel: string): Promise<void> {
  const path = channel.startsWith('class/')
    ? channel.replace('class/', '/classes/')
    : `/channels/${channel}`
  for (;;) {
    const { base, error } = await api('GET', path)
    const problem = error?.message ?? base.problem?.message
    if (problem !== undefined) throw new Error(problem)
    if (!base.isBehind) return
    // It works on that in this very process.
    await setTimeout(10)
  }
}

/** A machine whose source points at `nut stable main` below this path of the server: `class/web`, `channels/web@2`. */
export async function machineAt(dir: string, { url }: Server, path: string): Promise<TestApt> {
  const apt = await createApt(dir, { sources: '' })
  const key = join(dir, 'sluice.asc')
  const keyUrl = `${url}/${path.replace(/@.*/, '')}/key.asc`
  await apt.run('/usr/lib/apt/apt-helper', ['download-file', keyUrl, key])
  await apt.setSources(`deb [signed-by=${key}] ${url}/${path}/nut stable main`)
  return apt
}
