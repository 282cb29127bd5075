/**
 * Descriptions in channels: apt shows those of the packages that the channel has, and hears of no others.
 */
import { createHash } from 'node:crypto'
import { gunzipSync } from 'node:zlib'
import t from 'tap'
import type { PackageSpec } from '../../fixtures/debs.ts'
import type { TestApt } from '../support/apt.ts'
import { bodyOf, listedFiles, stanzasOf } from '../support/odd-world.ts'
import { clean, makeWorld, troubles, type World } from '../support/world.ts'

function described(name: string, version: string, text: string, arch = 'amd64'): PackageSpec {
  return { name, version, arch, fields: { Description: `${name} in short\n ${text}` } }
}

const translated = { publish: { translations: true } }
const both = { ...translated.publish, architectures: ['amd64', 'arm64'] }

/** The long description that apt shows of a package's candidate. */
async function longText(apt: TestApt, name: string): Promise<string | undefined> {
  const { stdout } = await apt.run('apt-cache', ['show', '--no-all-versions', name])
  return /^Description(?:-[a-z]+)?: .*\n ([\s\S]*?)(?:\n\S|\n$)/m.exec(stdout)?.[1]
}

/** Name and text of each entry that a channel serves. */
async function entries(world: World, channel: string, language = 'en'): Promise<string[]> {
  const base = `${world.sluice.url}/channels/${channel}/nut/dists/stable/main/i18n`
  const text = gunzipSync(await bodyOf(`${base}/Translation-${language}.gz`)).toString()
  return stanzasOf(text)
    .map((one) => `${one.get('Package')}: ${one.get(`Description-${language}`)?.split('\n ')[1]}`)
    .sort()
}

async function promote(world: World, ...names: string[]): Promise<void> {
  const sources = names.map((name) => ({ name }))
  const what = names.length === 0 ? { all: true } : { sources }
  const body = { from: 'testing', to: 'approved', removals: true, ...what }
  const { error } = await world.sluice.api('POST', '/promotions', body)
  if (error !== undefined) throw new Error(JSON.stringify(error))
}

async function listed(world: World, channel: string): Promise<string> {
  const url = `${world.sluice.url}/channels/${channel}/nut/dists/stable/Release`
  return [...listedFiles((await bodyOf(url)).toString()).keys()].join(' ')
}

t.test('apt shows the long description that the channel has of a package', async (t) => {
  const stays = described('stays', '1', 'as ever')
  const old = [described('hello', '1', 'old text'), described('gone', '1', 'of old'), stays]
  const fresh = [described('hello', '2', 'new text'), described('comes', '1', 'anew'), stays]
  const world = await makeWorld(t, old, translated)
  await world.publish(fresh)
  await world.sluice.api('POST', '/archives/refresh')
  const testing = await world.machine('testing', 'testing')
  const approved = await world.machine('approved', 'approved')
  for (const apt of [testing, approved]) {
    const update = await apt.update()
    t.same(troubles(update), clean)
    t.match(update.output, /^Get:.* Translation-en /m)
    t.ok((await apt.lists()).some((name) => name.endsWith('_i18n_Translation-en')))
    t.equal(await longText(apt, 'stays'), 'as ever')
  }
  t.equal(await longText(testing, 'hello'), 'new text')
  t.equal(await longText(approved, 'hello'), 'old text')
  t.same(await entries(world, 'testing'), ['comes: anew', 'hello: new text', 'stays: as ever'])
  t.same(await entries(world, 'approved'), ['gone: of old', 'hello: old text', 'stays: as ever'])

  await promote(world, 'hello')
  t.same(await entries(world, 'approved'), ['gone: of old', 'hello: new text', 'stays: as ever'])
  t.same(troubles(await approved.update()), clean)
  t.equal(await longText(approved, 'hello'), 'new text')
  await promote(world, 'gone')
  t.same(await entries(world, 'approved'), ['hello: new text', 'stays: as ever'])
  await promote(world, 'comes')
  t.same(await entries(world, 'approved'), await entries(world, 'testing'))
  await world.sluice.api('POST', '/channels/approved/rollback', { to: 1 })
  t.same(await entries(world, 'approved'), ['gone: of old', 'hello: old text', 'stays: as ever'])
  t.same((await world.sluice.api('POST', '/verify', { deep: true })).problems, [])
})

t.test('what is of other architectures is left out, also when only that remains', async (t) => {
  const [here, there] = [described('here', '1', 'text'), described('there', '1', 'x', 'arm64')]
  const shared = (arch: string): PackageSpec => described('shared', '1', 'for both', arch)
  const world = await makeWorld(t, [here, shared('amd64'), shared('arm64'), there], {
    publish: both,
  })
  t.same(await entries(world, 'testing'), ['here: text', 'shared: for both'])
  world.upstream.clearRequests()
  await world.publish([here, shared('arm64'), there])
  await world.sluice.api('POST', '/archives/refresh')
  t.same(await entries(world, 'testing'), ['here: text'])
  t.equal(world.upstream.count(/i18n/), 0, 'upstream has the same file as before')
  await world.publish([described('here', '2', 'text'), shared('arm64'), there])
  await world.sluice.api('POST', '/archives/refresh')
  t.same(await entries(world, 'testing'), ['here: text'])
})

t.test('two versions of a package keep two texts', async (t) => {
  const versions = [described('many', '1', 'one'), described('many', '2', 'two')]
  const world = await makeWorld(t, versions, translated)
  t.same(await entries(world, 'approved'), ['many: one', 'many: two'])
  await world.publish([described('many', '2', 'two'), described('many', '3', 'three')])
  await world.sluice.api('POST', '/archives/refresh')
  await promote(world, 'many')
  t.same(await entries(world, 'approved'), ['many: three', 'many: two'])
})

t.test('other languages come when they are asked for, and none when that is', async (t) => {
  const hello = described('hello', '1', 'old text')
  const md5 = createHash('md5').update('hello in short\n old text\n').digest('hex')
  const german = (text: string): string =>
    `Package: hello\nDescription-md5: ${md5}\nDescription-de: kurz\n ${text}\n`
  const files = (text: string): object => ({
    files: {
      'main/i18n/Translation-de': `${german(text)}\n${german(text).replace('hello', 'who')}`,
    },
  })
  const world = await makeWorld(t, [hello], {
    publish: { ...translated.publish, ...files('Lang.') },
    settings: { languages: ['de', 'pt_BR'] },
  })
  t.match(await listed(world, 'testing'), /Translation-de/)
  t.notMatch(await listed(world, 'testing'), /Translation-(en|pt)/)
  t.same(await entries(world, 'testing', 'de'), ['hello: Lang.'])
  const apt = await world.machine('apt', 'approved')
  await apt.run('sh', ['-c', `echo 'Acquire::Languages "de";' >> ${apt.dir}/apt.conf`])
  t.same(troubles(await apt.update()), clean)
  t.equal(await longText(apt, 'hello'), 'Lang.')

  await world.publish([hello], files('Neu.'))
  await world.sluice.api('POST', '/archives/refresh')
  t.same(await entries(world, 'testing', 'de'), ['hello: Neu.'])
  t.same((await world.sluice.api('GET', '/pending')).pending, [], 'no package waits for that')
  await promote(world)
  t.same(await entries(world, 'approved', 'de'), ['hello: Neu.'])

  await world.sluice.api('PATCH', '/archives/nut', { languages: ['en'] })
  await world.sluice.api('POST', '/archives/refresh')
  t.same(await entries(world, 'testing'), ['hello: old text'])
  await promote(world)
  t.same(await entries(world, 'approved'), ['hello: old text'], 'for packages that were here')
  await world.sluice.api('PATCH', '/archives/nut', { languages: [] })
  await world.sluice.api('POST', '/archives/refresh')
  t.notMatch(await listed(world, 'testing'), /Translation/)
  const bad = await world.sluice.api('PATCH', '/archives/nut', { languages: ['../en'] })
  t.equal(bad.error.code, 'ERR_USAGE')
})
