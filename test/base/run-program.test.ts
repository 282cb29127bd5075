/**
 * A program that cannot even be started is an error of the one who wanted it, and not the end of the server.
 */
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import t from 'tap'

const source = join(import.meta.dirname, '../../src/base/run-program.ts')
const script = `
  import { openSync } from 'node:fs'
  import { runProgram } from ${JSON.stringify(source)}
  const limits = { env: {}, timeoutMs: 300_000, maxOutputBytes: 1000 }
  await runProgram('/bin/true', [], limits)
  try { for (;;) openSync('/dev/null') } catch {}
  for (const command of ['/bin/true', '/nowhere'])
    await runProgram(command, [], { ...limits, input: 'text' }).catch((error) => console.log(error.code))
  console.log('goes on')
`

t.test('where there are no files left to open, that is told', async (t) => {
  const command = `ulimit -n 100; exec '${process.execPath}' --input-type=module -e "$1"`
  const { stdout, stderr, status } = spawnSync('/bin/sh', ['-c', command, 'sh', script], {
    encoding: 'utf8',
    // tap's own hooks need files too.
    env: { PATH: process.env.PATH ?? '' },
  })
  t.same({ status, stdout }, { status: 0, stdout: 'ERR_PROGRAM\nERR_PROGRAM\ngoes on\n' }, stderr)
})
