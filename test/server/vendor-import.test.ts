/**
 * The first start on a machine that has vendors' archives in its sources, flat ones among them: each is imported, and
 * machines get the packages from the channels.
 */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { createApt } from '../support/apt.ts'
import { startProgram } from '../support/program.ts'
import { flatStyles } from '../support/vendor-styles.ts'
import { makeVendorsWorld } from '../support/vendors-world.ts'
import { clean, troubles } from '../support/world.ts'

t.test('flat sources of the machine are imported', async (t) => {
  const [builds, gpu] = flatStyles
  if (builds === undefined || gpu === undefined) throw new Error('no style')
  const world = await makeVendorsWorld(t, [builds, gpu])
  const { dir, keyrings } = world
  const etc = join(dir, 'etc')
  await mkdir(etc)
  const sources = [builds, gpu].map(
    (style) => `deb [signed-by=${keyrings.binary}] ${world.url(style)}/ ${style.line}\n`,
  )
  await writeFile(join(etc, 'sources.list'), sources.join(''))
  const config = [
    `Dir::Etc::SourceList "${etc}/sources.list";`,
    'Dir::Etc::SourceParts "/dev/null";',
    'APT::Architecture "amd64";',
    'APT::Architectures { "amd64"; };',
  ]
  await writeFile(join(etc, 'apt.conf'), `${config.join('\n')}\n`)
  const how = ['serve', '--json', '--data', join(dir, 'first'), '--listen', '127.0.0.1:0']
  const program = startProgram(t, how, { env: { APT_CONFIG: join(etc, 'apt.conf') } })
  const url = await program.says(/"kind":"ready","url":"([^"]+)"/)
  const apt = await createApt(join(dir, 'machine'), { sources: '' })
  const keyPath = join(dir, 'machine/sluice.asc')
  const keyUrl = `${url}/channels/approved/key.asc`
  await apt.run('/usr/lib/apt/apt-helper', ['download-file', keyUrl, keyPath])
  const lines = [builds, gpu].map(
    ({ name, channelLine }) =>
      `deb [signed-by=${keyPath}] ${url}/channels/approved/${name} ${channelLine}`,
  )
  await apt.setSources(lines.join('\n'))
  t.same(troubles(await apt.update()), clean)
  t.same(troubles(await apt.install('builder', 'gpu-driver')), clean)
  t.same(await apt.installed(), ['builder=1.0', 'gpu-driver=1.0'])
  program.signal('SIGTERM')
  t.match(await program.ended, { code: 0 })
})
