/**
 * The command line as a whole: all commands, their help, and how usage errors are told.
 *
 * Commands are loaded with it, so they must stay light: what only `serve` needs is imported when it runs.
 */
import { Command, CommanderError } from 'commander'
import { AppError } from '../base/errors.ts'
import { version } from '../base/version.ts'
import { adminCommands } from './admin-commands.ts'
import { adoptFilesCommand } from './adopt-files-command.ts'
import { archiveCommands } from './archive-commands.ts'
import { auditCommands } from './audit-commands.ts'
import { backupCommands } from './backup-commands.ts'
import { channelCommands } from './channel-commands.ts'
import { classCommands } from './class-commands.ts'
import { configCommands } from './config-commands.ts'
import { run, type Surroundings } from './context.ts'
import { declineCommands } from './decline-commands.ts'
import { digestCommands } from './digest-commands.ts'
import { gcCommands } from './gc-commands.ts'
import { holdCommands } from './hold-commands.ts'
import { keyCommands } from './key-commands.ts'
import { pendingCommands } from './pending-commands.ts'
import { policyCommands } from './policy-commands.ts'
import { promoteCommands } from './promote-commands.ts'
import { publishCommand } from './publish-command.ts'
import { revokeCommand } from './revoke-command.ts'
import { addServeOptions, type ServeOptions } from './serve-options.ts'
import { unpublishCommand } from './unpublish-command.ts'

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
  serveCommand(program, around)
  archiveCommands(program, around)
  channelCommands(program, around)
  classCommands(program, around)
  publishCommand(program, around)
  pendingCommands(program, around)
  promoteCommands(program, around)
  holdCommands(program, around)
  declineCommands(program, around)
  unpublishCommand(program, around)
  revokeCommand(program, around)
  policyCommands(program, around)
  digestCommands(program, around)
  configCommands(program, around)
  keyCommands(program, around)
  adminCommands(program, around)
  auditCommands(program, around)
  gcCommands(program, around)
  adoptFilesCommand(program, around)
  backupCommands(program, around)
  try {
    await program.parseAsync(args, { from: 'user' })
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    if (error.exitCode === 0) return
    throw usageError(error, usageOf(program, args))
  }
}

function serveCommand(program: Command, around: Surroundings): void {
  const command = addServeOptions(program.command('serve'))
    .description("run the server; the first start imports this machine's apt sources")
    .addHelpText(
      'after',
      '\nEach can stand in DATA/sluice.toml (refresh-minutes = 30) and in a variable (SLUICE_REFRESH_MINUTES).',
    )
  run<ServeOptions>(around, command, async (...given) => {
    const { serve } = await import('./serve.ts')
    await serve(...given)
  })
}

/** The help of the command that the arguments mean, as far as they name one. */
function usageOf(program: Command, args: readonly string[]): string {
  let command = program
  const path = [program.name()]
  for (const word of args) {
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
