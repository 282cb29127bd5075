/**
 * Vendors' archives that cannot be believed: refused with the reason, and nothing of them is served.
 */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { makeSigningKey } from '../../fixtures/signing-key.ts'
import { addOdd, other, styleOf, takes, tool } from '../support/odd-vendor.ts'
import { publishVendor } from '../support/vendor-styles.ts'
import { makeVendorsWorld } from '../support/vendors-world.ts'

t.test('what is not signed, or signed by somebody else, is refused', async (t) => {
  const world = await makeVendorsWorld(t, [])
  const stranger = await makeSigningKey(join(world.dir, 'keys'), 'No <no@archive.example>')
  const foreign = styleOf('foreign')
  await publishVendor(world.files, foreign, [stranger])
  const refused = await world.add(foreign)
  t.equal(refused.code, 3)
  t.match(
    refused.stderr,
    /error: foreign flat: InRelease is signed by .*, not by a key of the keyring/,
  )
  t.match(
    await addOdd(world, styleOf('sha1', { sign: { digest: 'SHA1' }, signed: ['InRelease'] })),
    /error: sha1 flat: InRelease has no good signature/,
  )
  const bare = styleOf('bare')
  await publishVendor(world.files, bare, [world.key], { signed: [] })
  t.match((await world.add(bare)).stderr, /neither InRelease nor Release .* \/\n.*hint: .*--suite/)
  const release = await readFile(join(world.files, 'foreign/Release'))
  await writeFile(join(world.files, 'bare/Release'), release)
  t.match(
    (await world.run('archive', 'refresh', 'bare')).stderr,
    /Release has no Release\.gpg: nobody signed it\n.*never taken.*local archive/,
  )
})

t.test('weak digests alone are refused, beside others they are left out', async (t) => {
  const world = await makeVendorsWorld(t, [])
  const weak = { ...tool, digests: ['MD5Sum', 'SHA1'] } as const
  t.match(
    await addOdd(world, styleOf('weak-release', { digests: ['MD5Sum', 'SHA1'] })),
    /error: weak-release flat: Release without a SHA256 list: it has MD5Sum and SHA1 alone\n.*hint: apt refuses such/,
  )
  t.match(
    await addOdd(world, styleOf('weak-packages', { indexes: { Packages: [weak] } })),
    /error: weak-packages flat: none of its packages has a SHA256 \(tool, for one\).*\n.*hint: apt refuses such/,
  )
  const half = styleOf('weak-index', {
    digests: ['MD5Sum', 'SHA256'],
    editRelease: (text) => text.replace(/(?<=^SHA256:\n)(?: .*\n)+/m, ` ${'0'.repeat(64)} 1 en\n`),
  })
  t.match(await addOdd(world, half), /no Packages beside it\n.*hint: .*by MD5Sum or SHA1 alone/)
  const mixed = styleOf('mixed', { indexes: { Packages: [weak, other] } })
  t.match(
    await addOdd(world, mixed),
    /1 stanza left out.*\n {2}left out: .*package tool: no SHA256$/m,
  )
  await takes(t, world, mixed, ['other'])
})

t.test('what is not there, or not for everybody, is told with what to type', async (t) => {
  const world = await makeVendorsWorld(t, [])
  const { armored } = world.keyrings
  const add = (name: string, suite: string, keyring: string) => {
    const how = ['--suite', suite, '--arch', 'amd64', '--keyring', keyring]
    return world.run('archive', 'add', name, `${world.upstream.url}/${name}`, ...how)
  }
  t.match((await add('dists', 'stable', armored)).stderr, /suite stable\n.*hint: .*--suite \.\/ or/)
  world.upstream.fault(/^\/closed\//, { kind: 'status', status: 403 })
  t.match(
    (await add('closed', './', armored)).stderr,
    /suite \/: it answers 403\n.*hint: .*sluice archive set closed .*--auth FILE/,
  )
  await publishVendor(world.files, styleOf('gone'), [world.key])
  world.upstream.fault(/^\/gone\/Packages/, { kind: 'status', status: 404 })
  t.match(
    (await add('gone', './', armored)).stderr,
    /answered 404\n.*hint: its Release lists .*: sluice archive set gone --arch/,
  )
  await publishVendor(world.files, styleOf('deb'), [world.key])
  const file = join(world.files, 'deb/tool_1.0_amd64.deb')
  t.match((await add('deb', './', file)).stderr, /it is a package; dpkg-deb -x unpacks it/)
})
