/**
 * `sluice export` and `sluice apply`, as administrators see them.
 */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { runSluice } from '../support/program.ts'
import { startSluice } from '../support/sluice.ts'
import { testDir } from '../support/test-dir.ts'
import { makeWorld } from '../support/world.ts'

t.test('the configuration is exported, tried, applied, and applied again', async (t) => {
  const { sluice, dir, upstream } = await makeWorld(t, [
    { name: 'hello', version: '1', arch: 'amd64' },
  ])
  const hold = { channel: 'approved', source: 'hello', reason: 'breaks our shop' }
  await sluice.api('POST', '/holds', hold)
  const login = upstream.url.replace('//', '//joe:secret@')
  await sluice.api('PATCH', '/archives/nut', { urls: [login] })
  const exported = await runSluice(['--data', sluice.dataDir, 'export'])
  t.match(exported, { code: 0, stderr: /^sluice: archive nut: the login of \S+ is left out\n$/ })
  t.notMatch(exported.stdout, /secret|joe/)
  const file = join(dir, 'site.toml')
  await writeFile(file, exported.stdout)

  const other = await startSluice(join(dir, 'other'))
  t.teardown(() => other.close())
  const apply = (...args: string[]): ReturnType<typeof runSluice> =>
    runSluice(['--data', other.dataDir, 'apply', ...args])
  const dry = await apply(file, '--dry-run')
  t.match(dry, { code: 0, stderr: '' })
  t.match(dry.stdout, /^add archive nut\n {2}urls +http:\S+\n {2}suites +stable$/m)
  t.match(dry.stdout, /^add hold of hello in approved\n {2}reason +breaks our shop$/m)
  t.match(dry.stdout, /^5 steps; nothing was done$/m)
  t.same(await other.api('GET', '/channels'), [])
  const applied = await apply(file, '--reason', 'moved')
  t.match(applied, { code: 0, stderr: '' })
  t.match(applied.stdout, /^5 steps done$/m)
  const audit = await other.api('GET', '/audit?limit=100')
  t.match(audit[0], { what: 'hold', why: 'moved' })
  t.match(await apply(file), { code: 0, stdout: 'all is as the file says\n' })
  t.same(await other.api('GET', '/audit?limit=100'), audit)

  const text = await readFile(file, 'utf8')
  await writeFile(file, text.replace(/\[hold.approved.hello\]\nreason = .*\n/, ''))
  t.match((await apply(file)).stdout, /^not in the file, .* hold of hello in approved\nall is as/)
  const pruned = await apply(file, '--prune')
  t.match(pruned.stdout, /^remove hold of hello in approved\n1 step done$/m)
  t.same(await other.api('GET', '/holds'), [])
})

t.test('faults are told with file and line, and what failed by the exit code', async (t) => {
  const dir = testDir(t)
  const sluice = await startSluice(join(dir, 'var'))
  t.teardown(() => sluice.close())
  const apply = async (content: string | Buffer): ReturnType<typeof runSluice> => {
    await writeFile(join(dir, 'site.toml'), content)
    return runSluice(['--data', 'var', 'apply', 'site.toml'], { cwd: dir })
  }
  const wrong = '[channel.web]\nbase = "lab"\nkepe = 5\n\n[policy.night]\nfrom = 3\n'
  const broken = await apply(wrong)
  t.match(broken, { code: 2, stdout: '' })
  t.same(broken.stderr.split('\n'), [
    'site.toml:2: channel.web.base: there is no channel lab',
    'site.toml:3: channel.web.kepe: there is nothing called "kepe" here: did you mean keep?',
    'site.toml:5: policy.night: a policy needs to',
    'site.toml:5: policy.night: a policy needs schedule',
    'site.toml:6: policy.night.from: 3 is not text in quotes',
    'sluice: error: site.toml has 5 faults',
    'sluice: hint: nothing was changed; sluice export writes a file as it has to be',
    '',
  ])
  const odd = await apply(Buffer.from('# fine\n[channel.w\xe4b]\n', 'latin1'))
  t.match(odd, { code: 2, stderr: /^sluice: error: site.toml:2: this is not UTF-8$/m })
  const gone = await runSluice(['--data', 'var', 'apply', 'no.toml'], { cwd: dir })
  t.match(gone, { code: 4, stderr: /no.toml is not there/ })
})

t.test('what fails keeps back what needs it, and nothing else', async (t) => {
  const { sluice, dir, upstream } = await makeWorld(t, [])
  const { text } = await sluice.api('GET', '/export')
  const file = join(dir, 'site.toml')
  const nobody = text.replace(upstream.url, 'http://127.0.0.1:9')
  await writeFile(file, `${nobody}\n[channel.none]\nfollow = []\n`)
  const data = join(dir, 'other')
  const other = await startSluice(data)
  t.teardown(() => other.close())
  const refused = await runSluice(['--data', data, 'apply', file])
  t.match(refused, { code: 2, stderr: /channel.none.follow: a channel that follows/ })
  await writeFile(file, nobody)
  const partly = await runSluice(['--data', data, 'apply', file])
  t.equal(partly.code, 3)
  t.match(partly.stdout, /^fetch archive nut {2}failed: stable: \S.*$/m)
  t.match(partly.stdout, /^add channel testing {2}left out$/m)
  t.match(partly.stdout, /^1 step done, 1 failed, 2 left out$/m)
  await writeFile(file, text)
  const again = await runSluice(['--data', data, 'apply', file])
  t.match(again, { code: 0, stdout: /^change archive nut\n {2}urls +http\S+9 -> http/m })
  t.match((await other.api('GET', '/export')).text, text)
})
