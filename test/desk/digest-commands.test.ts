/**
 * `sluice digest`, as administrators see it.
 */
import t from 'tap'
import { pack } from '../support/digest-world.ts'
import { runSluice, sluiceProgram } from '../support/program.ts'
import { run } from '../support/run.ts'
import { makeWorld } from '../support/world.ts'

t.test('digests are changed, shown and removed by commands', async (t) => {
  const { sluice } = await makeWorld(t, [pack('hello', '1')])
  const sluiceRun = (...args: string[]) => runSluice(['--data', sluice.dataDir, ...args])
  t.match(await sluiceRun('digest', 'list'), {
    stdout: /^there is no digest: sluice digest create/,
  })
  const none = await sluiceRun('digest', 'create', 'chat')
  t.match(none, { code: 2, stderr: /needs somebody to go to\nsluice: hint: .* --mail ADDRESS/ })
  // A command line is seen by everybody on the machine.
  const made = await pipe('http://chat.example/hooks/k3y\n', [
    ...[sluice.dataDir, 'digest', 'add', 'chat', '--webhook', '-', '--schedule', '0 8 * * 1'],
    ...['--time-zone', 'Europe/Berlin', '--always', '--disable'],
  ])
  t.match(made.stdout, /^goes to +http:\/\/chat\.example\/…$/m)
  t.match(made.stdout, /^schedule +0 8 \* \* 1 \(Europe\/Berlin\)$/m)
  t.match(made.stdout, /^next +switched off$/m)
  t.match(made.stdout, /^empty ones +are sent too$/m)
  const set = await sluiceRun(
    'digest',
    'set',
    'chat',
    '--mail',
    'a@b.example,c@d.example',
    '--enable',
  )
  t.match(set.stdout, /^goes to +a@b\.example, c@d\.example$/m)
  t.match(set.stdout, /^problem +no mail goes: the server is not told mail-server$/m)
  t.match((await sluiceRun('digest', 'list')).stdout, /^chat +testing -> approved +a@b.example, /m)
  const tried = await sluiceRun('digest', 'send', 'chat')
  t.match(tried, { code: 1, stderr: /is not told a mail server\nsluice: hint: mail-server = / })
  t.match(await sluiceRun('digest', 'set', 'chat', '--enable', '--disable'), { code: 2 })
  t.match(await sluiceRun('digest', 'remove', 'chat', '--reason', 'enough'), { code: 0 })
  t.match(await sluiceRun('digest', 'show', 'chat'), { code: 4, stderr: /there is no digest chat/ })
  t.match(await sluice.api('GET', '/audit?limit=3'), [
    { what: 'digest delete', why: 'enough' },
    { what: 'digest set', detail: { recipients: ['a@b.example', 'c@d.example'] } },
    { what: 'digest create', detail: { webhook: 'http://chat.example/…' } },
  ])
})

/** Runs `sluice --data DIR …` with this on its standard input. */
function pipe(input: string, [dataDir = '', ...args]: readonly string[]) {
  return run(sluiceProgram, ['--data', dataDir, ...args], { input })
}
