/**
 * apt as a judge of what can be installed: where dose-debcheck sees less than machines do.
 */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createApt } from './apt.ts'
import { field } from './dose.ts'

/** Names of which apt would not install the newest version, of these stanzas (amd64). */
export async function aptBroken(dir: string, stanzas: readonly string[]): Promise<Set<string>> {
  const archive = join(dir, 'archive')
  await mkdir(archive, { recursive: true })
  const texts = stanzas.map(
    (one) => `${one}Filename: ./x.deb\nSize: 1\nSHA256: ${'a'.repeat(64)}\n`,
  )
  await writeFile(join(archive, 'Packages'), texts.join('\n'))
  const sources = `deb [trusted=yes] file:${archive} ./`
  const apt = await createApt(join(dir, 'apt'), { sources })
  const { code, output } = await apt.update()
  if (code !== 0) throw new Error(output)
  const broken = new Set<string>()
  for (const name of new Set(stanzas.map((one) => field(one, 'Package') ?? ''))) {
    const { code: refused } = await apt.run('apt-get', ['install', '--simulate', name])
    if (refused !== 0) broken.add(name)
  }
  return broken
}
