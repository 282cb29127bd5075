/**
 * Machines under load: real apts that update and download, and tell what they saw.
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createApt, type TestApt } from './apt.ts'
import type { Load } from './load.ts'
import { clean, troubles } from './world.ts'

export interface LoadMachine {
  /** Updates, then fetches some package; what is wrong goes to the load's failures. */
  visit(): Promise<void>
}

/** A machine on `channels/approved` or `class/web`. */
export async function makeMachine(
  load: Load,
  name: string,
  publication: string,
): Promise<LoadMachine> {
  const apt = await createApt(join(load.dir, 'machines', name), { sources: '' })
  const keyPath = join(apt.dir, 'sluice.asc')
  await apt.run('/usr/lib/apt/apt-helper', [
    'download-file',
    `${load.url}/${publication}/key.asc`,
    keyPath,
  ])
  // By the machine's own time the first of these Releases are long past their Valid-Until.
  const options = `signed-by=${keyPath} check-valid-until=no`
  await apt.setSources(`deb [${options}] ${load.url}/${publication}/nut stable main`)
  const note = (what: string, run: Awaited<ReturnType<TestApt['update']>>): void => {
    const seen = JSON.stringify(troubles(run))
    if (seen !== JSON.stringify(clean)) load.failures.push(`${name}: ${what}: ${seen}`)
  }
  return {
    visit: async () => {
      note('update', await apt.update())
      note('download', await apt.download(load.upstream.anyPackage()))
      await apt.run('apt-get', ['clean'])
      const date = await dateOf(apt)
      if (!(date <= load.clock.now())) load.failures.push(`${name}: a Date ahead of the clock`)
      load.count('visit')
    },
  }
}

async function dateOf(apt: TestApt): Promise<number> {
  const name = (await apt.lists()).find((one) => one.endsWith('_InRelease')) ?? ''
  const text = await readFile(join(apt.listsDir, name), 'utf8').catch(() => '')
  return Date.parse(/^Date: (.*)$/m.exec(text)?.[1] ?? '')
}
