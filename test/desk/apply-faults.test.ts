/**
 * Broken configuration files: each fault is told with its line, all of them at once, and nothing is changed.
 */
import t from 'tap'
import { makeWorld } from '../support/world.ts'

/** What is wrong in a file, line by line, as `line path`. */
const broken: Readonly<Record<string, readonly [text: string, faults: readonly string[]]>> = {
  'of a wrong kind, from top to bottom': [
    'archive = 3\nchannel = "x"\nhold = []\npolicy = [1]\nclass = true\n[hold2]\n',
    ['1 archive', '2 channel', '3 hold', '4 policy', '5 class', '6 hold2'],
  ],
  'lists and values of other types': [
    '[archive.x]\nurls = "http://a/"\nsuites = [1, "a"]\ncomponents = []\nrescue = "no"\nextras = ["nope"]\n' +
      'architectures = ["AMD 64"]\nkeyring = "no keys"\nsource = true\n',
    [
      '2 archive.x.urls',
      '3 archive.x.suites.0',
      '4 archive.x.components',
      '5 archive.x.rescue',
      '6 archive.x.extras.0',
      '7 archive.x.architectures.0',
      '8 archive.x.keyring',
      '9 archive.x.source',
    ],
  ],
  'what is named and is not there': [
    '[channel.a]\nfollow = ["nix"]\n[channel.b]\nbase = "x"\n[class.c]\nchannel = "x"\n\n' +
      '[hold.x.hello]\n[hold.testing.hello]\n[hold.approved.nosource]\n[decline.y.hello."1"]\n' +
      '[digest.d]\nfrom = "x"\nto = "approved"\nmail = ["a@mail.example"]\n',
    [
      '2 channel.a.follow.0',
      '4 channel.b.base',
      '6 class.c.channel',
      '8 hold.x',
      '9 hold.testing',
      '10 hold.approved.nosource',
      '11 decline.y',
      '13 digest.d.from',
    ],
  ],
  'of a policy': [
    '[policy.p]\nfrom = "x"\nto = "testing"\nschedule = "daily"\ntime-zone = "Mars/X"\n' +
      'rules = [\n  "after 7 days",\n  "soon",\n]\nfreezes = ["never"]\nrule = "x"\n',
    [
      '2 policy.p.from',
      '3 policy.p.to',
      '4 policy.p.schedule',
      '5 policy.p.time-zone',
      '8 policy.p.rules.1',
      '10 policy.p.freezes.0',
      '11 policy.p.rule',
    ],
  ],
  'channels in a circle, and of another kind': [
    '[channel.a]\nbase = "b"\n[channel.b]\nbase = "a"\n[channel.approved]\nfollow = ["nut"]\n',
    ['2 channel.a.base', '4 channel.b.base', '5 channel.approved'],
  ],
  'names that are taken for something else elsewhere': [
    '[channel.__proto__]\nfollow = ["nut"]\n[channel."A b"]\nfollow = ["nut"]\n[channel.""]\nfollow = ["nut"]\n',
    ['1 channel.__proto__', '3 channel."A b"', '5 channel.""'],
  ],
  'a key twice, with the lines of Windows': [
    '[channel.a]\r\nfollow = ["nut"]\r\nfollow = ["nut"]\r\n\r\n[channel.b]\r\nx = \r\n',
    ['3 ', '6 '],
  ],
  'texts that are too long, or none': [
    `[hold.approved.hello]\nreason = "${'x'.repeat(1001)}"\nuntil = 2030-01-01T10:00:00\n[hold.approved."a\\nb"]\n`,
    ['2 hold.approved.hello.reason', '3 hold.approved.hello.until', '4 hold.approved."a\\nb"'],
  ],
}

t.test('a file with faults changes nothing, and each of them is told with its line', async (t) => {
  const { sluice } = await makeWorld(t, [{ name: 'hello', version: '1', arch: 'amd64' }])
  const { api } = sluice
  const look = (): Promise<unknown[]> =>
    Promise.all([api('GET', '/export'), api('GET', '/audit?limit=100'), api('GET', '/channels')])
  const before = await look()
  // What is right in a file that is broken is not done either.
  const good = '\n[channel.fine]\nfollow = ["nut"]\n'
  for (const [title, [text, faults]] of Object.entries(broken)) {
    const { error } = await api('POST', '/apply', {
      text: text.includes('channel =') ? text : text + good,
    })
    t.equal(error?.code, 'ERR_USAGE', title)
    const told: { line: number; path: string }[] = error?.details?.faults ?? []
    t.same(
      told.map(({ line, path }) => `${line} ${path}`),
      faults,
      title,
    )
  }
  t.same(await look(), before)
})

t.test('a file may have the byte order mark and the line ends of Windows', async (t) => {
  const { sluice } = await makeWorld(t, [{ name: 'hello', version: '1', arch: 'amd64' }])
  const { api } = sluice
  const { text } = await api('GET', '/export')
  const windows = `\ufeff${text.replaceAll('\n', '\r\n')}`
  t.same(await api('POST', '/apply', { text: windows }), { steps: [], left: [] })
})

t.test('a huge file is read in a moment, or refused', async (t) => {
  const { sluice } = await makeWorld(t, [])
  const { api } = sluice
  const most = 4 * 1024 * 1024
  const { error } = await api('POST', '/apply', { text: 'x\n'.repeat(most / 2) })
  t.match(error, { code: 'ERR_USAGE', details: { faults: [{ line: 1 }] } })
  const nested = await api('POST', '/apply', { text: `x=${'['.repeat(most - 2)}` })
  t.match(nested.error, { code: 'ERR_USAGE', message: /nested/ })
  const longer = await api('POST', '/apply', { text: '#'.repeat(most + 1) })
  t.match(longer.error, { code: 'ERR_USAGE', message: /4194304 characters/ })
  const many = Array.from({ length: 2000 }, (_, at) => `[channel.c${at}]\nfollow = ["nix"]\n`)
  const all = await api('POST', '/apply', { text: many.join('') })
  t.match(all.error, { message: /^.* line 2: there is no archive nix, and 1999 more$/ })
  t.equal(all.error.details.faults.length, 1000, 'the first ones are told')
})
