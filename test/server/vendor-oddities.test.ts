/**
 * What is odd or weak in vendors' archives: taken, with a warning where it will not be good for ever, or taken in part with
 * the reason.
 */
import { join } from 'node:path'
import t from 'tap'
import { makeSigningKey } from '../../fixtures/signing-key.ts'
import { addOdd, other, styleOf, takes, tool } from '../support/odd-vendor.ts'
import { run } from '../support/run.ts'
import { publishVendor } from '../support/vendor-styles.ts'
import { makeVendorsWorld, outcomeAt } from '../support/vendors-world.ts'

t.test('what is odd and sound is taken', async (t) => {
  const world = await makeVendorsWorld(t, [])
  const styles = [
    styleOf('undated', { fields: { Date: '', Suite: 'stable', Codename: 'rolling' } }),
    styleOf('blank', {
      edit: (text) => `\n\n${text.replaceAll('\n\n', '\n \t\n\r\n\n').trimEnd()}\n  `,
    }),
    styleOf('absent', {
      forms: ['plain', 'gz'],
      editRelease: (text) =>
        `${text} ${'0'.repeat(64)} 12 Packages.xz\n ${'1'.repeat(64)} 14 Packages.bz2\n`,
    }),
  ]
  for (const style of styles) {
    t.match(await addOdd(world, style), /changed, 2 packages/, style.name)
    await takes(t, world, style, ['tool', 'other'])
  }
  const shown = await world.run('archive', 'show', 'undated')
  t.match(shown.stdout, /^flat \(\/\) +– /m)
})

t.test('a key that is certified over SHA-1 is taken, with a warning', async (t) => {
  const world = await makeVendorsWorld(t, [])
  const options = { algorithm: 'rsa2048', certDigest: 'SHA1' } as const
  const old = await makeSigningKey(join(world.dir, 'keys'), 'Old <old@archive.example>', options)
  const style = styleOf('old')
  await publishVendor(world.files, style, [old])
  const how = ['--suite', './', '--arch', 'amd64', '--keyring', old.publicAsc]
  const { code, stdout } = await world.run('archive', 'add', 'old', world.url(style), ...how)
  const warning = new RegExp(
    `^warning: key ${old.fingerprint} is certified over SHA-1 only: gpgv takes it, .* sqv, and apt from Debian 13 on, refuse it$`,
    'm',
  )
  t.equal(code, 0)
  t.match(stdout, warning)
  t.match((await world.run('archive', 'show', 'old')).stdout, warning)
  await world.sluice.api('POST', '/channels', { name: 'on-old', follow: ['old'] })
  await takes(t, world, style, ['tool'])
  const signed = join(world.files, 'old/InRelease')
  t.equal((await run('gpgv', ['--keyring', old.publicGpg, signed])).code, 0, 'gpgv')
  const pair = [`${world.files}/old/Release.gpg`, `${world.files}/old/Release`]
  t.not((await run('sqv', ['--keyring', old.publicGpg, ...pair])).code, 0, 'sqv')
})

t.test(
  'a version that stands there twice is told, a path that leads out is left out',
  async (t) => {
    const world = await makeVendorsWorld(t, [])
    const again = {
      spec: { ...tool.spec, variant: 'rebuilt' },
      filename: 'again/tool_1.0_amd64.deb',
    }
    const twice = styleOf('twice', { indexes: { Packages: [tool, again, other] } })
    t.match(
      await addOdd(world, twice),
      /^ {2}left out: tool 1\.0 amd64 stands there twice, with other bytes: the first counts$/m,
    )
    await takes(t, world, twice, ['tool'])
    const direct = await outcomeAt(world, twice, await world.withLine(twice, 'direct'))
    t.match(direct, { same: ['tool', 'other'] }, 'as it does for apt')
    const out = { ...tool, filename: '../tool.deb', at: 'tool.deb' }
    const packages = { packages: [other] }
    const leading = { ...styleOf('leading', { indexes: { Packages: [out, other] } }), ...packages }
    t.match(await addOdd(world, leading), /left out: stanza of package tool: Filename is malformed/)
    await takes(t, world, leading, ['other'])
  },
)

t.test('descriptions that are listed and not there are done without, as apt does', async (t) => {
  const world = await makeVendorsWorld(t, [])
  const place = 'dists/stable'
  const style = {
    ...styleOf('wordless', {
      place,
      indexes: { 'main/binary-amd64/Packages': [tool, other] },
      more: { 'main/i18n/Translation-en': 'Package: tool\nDescription-md5: 0\n' },
      fields: { Suite: 'stable' },
    }),
    ...{ options: '--suite stable', line: 'stable main', channelLine: 'stable main' },
  }
  world.upstream.fault(/Translation-en/, { kind: 'status', status: 404 })
  t.match(
    await addOdd(world, style),
    /2 packages, 1 stanza left out.*\n {2}left out: .*answered 404/,
  )
  await takes(t, world, style, ['tool', 'other'])
})
