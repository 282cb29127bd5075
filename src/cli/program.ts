/**
 * The command line as a whole: its options, the help, and how usage errors are told.
 */
import { Command, CommanderError } from 'commander'
import { AppError } from '../base/errors.ts'
import { version } from '../base/version.ts'
import { addCommands, withoutValues } from './command-groups.ts'
import type { Surroundings } from './context.ts'

const exitCodes = `
Exit codes: 0 ok, 1 failed, 2 usage, 3 done in part, 4 not found, 5 refused by a policy, 130 interrupted.
The server is the one that runs on the data directory (--data, SLUICE_DATA, ./var), or that of --url (SLUICE_URL)
with the token in SLUICE_TOKEN.`

/** Runs the command that the arguments name; a usage error is an `AppError` with `ERR_USAGE`. */
export async function runProgram(args: readonly string[], around: Surroundings): Promise<void> {
  const program = new Command('sluice')
    .description('an apt update server: caching proxy and signed, staged channels')
    .version(version, '--version', 'print the version')
    .helpOption('-h, --help', 'print help')
    .option('--json', 'print results and errors as JSON')
    .option('--data <dir>', 'data directory')
    .option('--url <url>', 'server to talk to')
    .addHelpText('after', exitCodes)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => around.stdout.write(text),
      writeErr: () => undefined,
      getOutHelpWidth: () => around.stdout.columns ?? 100,
    })
    .configureHelp({ showGlobalOptions: true, sortSubcommands: false })
  await addCommands(program, around, args)
  try {
    await program.parseAsync(args, { from: 'user' })
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    if (error.exitCode === 0) return
    throw usageError(error, usageOf(program, args))
  }
}

/** The help of the command that the arguments mean, as far as they name one. */
function usageOf(program: Command, args: readonly string[]): string {
  let command = program
  const path = [program.name()]
  for (const word of withoutValues(args)) {
    const next = command.commands.find((one) => one.name() === word)
    if (next === undefined) continue
    command = next
    path.push(word)
  }
  return [...path, '--help'].join(' ')
}

/** commander's message without its `error: ` and full stop; its suggestion, on a line of its own, becomes the hint. */
function usageError(error: CommanderError, usage: string): AppError {
  if (error.code === 'commander.help') {
    return new AppError('ERR_USAGE', { message: 'which command?', hint: usage })
  }
  const [first = '', suggestion] = error.message.replace(/^error: |\.$/g, '').split('\n')
  const hint = suggestion?.replace(/^\((.*)\)$/, '$1').replace(/^Did/, 'did') ?? usage
  return new AppError('ERR_USAGE', { message: first, hint })
}
