/** Which modules of commands are loaded for what somebody types: nobody may notice that it is not all of them. */
import t from 'tap'
import { toAppError } from '../../src/base/errors.ts'
import { runProgram } from '../../src/cli/program.ts'

/** What `sluice` prints of these words, or the hint of its error. */
async function said(...args: string[]): Promise<string> {
  let text = ''
  const stream = {
    isTTY: false,
    columns: 200,
    write: (more: string) => {
      text += more
      return true
    },
  }
  const around = {
    env: {},
    stdout: stream,
    stderr: stream,
    signal: new AbortController().signal,
    setExitCode: () => undefined,
  }
  await runProgram(args, around).catch((error: unknown) => {
    const { message, hint } = toAppError(error)
    text += `${message} (${hint})`
  })
  return text
}

const help = await said('--help')
const words = [...help.matchAll(/^ {2}([a-z]+) /gm)].map(([, word = '']) => word)

t.test('each command of the help is found by its first word', async (t) => {
  t.ok(words.length > 25, help)
  for (const word of words.filter((one) => one !== 'help')) {
    t.match(await said(word, '--help'), `Usage: sluice ${word} `)
    t.equal(await said('help', word), await said(word, '--help'))
    t.equal(
      await said('--json', '--data', 'gc', '--url=x', word, '--help'),
      await said(word, '--help'),
    )
  }
})

t.test(
  'the whole help comes where no command is named, whatever the values of options',
  async (t) => {
    for (const args of [['-h'], ['help'], ['--data', 'archive', '--help'], ['--url', 'key', '-h']])
      t.equal(await said(...args), help, args.join(' '))
    t.equal(await said('--data', 'archive'), 'which command? (sluice --help)')
  },
)

t.test('a word that is none is told with the nearest of all commands', async (t) => {
  t.equal(await said('pendign'), "unknown command 'pendign' (did you mean pending?)")
  t.equal(await said('backpu', '--all'), "unknown command 'backpu' (did you mean backup?)")
  t.equal(await said('constructor'), "unknown command 'constructor' (sluice --help)")
  t.equal(await said('channel', 'lsit'), "unknown command 'lsit' (did you mean list?)")
})
