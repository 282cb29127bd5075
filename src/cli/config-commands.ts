/**
 * `sluice export` and `sluice apply`: the configuration of a server as a file.
 */
import { readFile } from 'node:fs/promises'
import { buffer } from 'node:stream/consumers'
import type { Command } from 'commander'
import { AppError, isAppError, systemCode } from '../base/errors.ts'
import type { ApplyAnswer, ApplyEvent, ExportAnswer, FaultAnswer } from './api-config-types.ts'
import { applyLines, faultLines } from './config-report.ts'
import { type Context, run, type Surroundings } from './context.ts'
import { createRefreshProgress } from './refresh.ts'

interface ApplyOptions {
  readonly dryRun?: boolean
  readonly prune?: boolean
  readonly reason?: string
}

const FAILED = 1
const PARTLY = 3

/** Adds both commands. */
export function configCommands(program: Command, around: Surroundings): void {
  const exported = program
    .command('export')
    .description('print archives, channels, classes, holds, policies and the like as TOML')
    .addHelpText(
      'after',
      '\nLogins and secrets are left out, which is told. See also: sluice backup.',
    )
  run(around, exported, exportConfig)
  const apply = program
    .command('apply <file>')
    .description('bring the server to what a file says that sluice export has written (- reads it)')
    .option('--dry-run', 'tell what would change, and change nothing')
    .option('--prune', 'remove what the file does not name, of the kinds that it has a table for')
    .option('--reason <text>', 'why, for the audit')
    .addHelpText(
      'after',
      '\nA file with a fault changes nothing. Applying a file twice changes nothing the second time.',
    )
  run(around, apply, applyConfig)
}

async function exportConfig(context: Context): Promise<void> {
  const client = await context.connect()
  const exported = await client.call<ExportAnswer>('GET', '/export')
  context.out.result(exported, ({ text }) => [text.trimEnd()])
  if (!context.out.isJson) context.out.error(...exported.notes.map((note) => `sluice: ${note}`))
}

async function applyConfig(
  context: Context,
  [file = '']: readonly string[],
  { dryRun = false, prune, reason }: ApplyOptions,
): Promise<void> {
  const text = await readText(file)
  const client = await context.connect()
  const body = { text, file: file === '-' ? 'standard input' : file, dryRun, prune, reason }
  const showRefresh = createRefreshProgress((line) => context.out.progress(line))
  const show = (event: ApplyEvent): void => {
    if (event.kind === 'step') {
      context.out.progress(`${event.nth} of ${event.total}: ${event.action} ${event.object}`)
    } else if (event.event.kind !== 'outcome') showRefresh(event.event)
  }
  try {
    const answer = await client.task<ApplyAnswer, ApplyEvent>('/apply', body, show)
    context.out.clear()
    context.out.result(answer, (one) => applyLines(one, dryRun))
    const bad = answer.steps.filter(({ outcome }) => outcome === 'failed').length
    const good = answer.steps.filter(({ outcome }) => outcome === 'done').length
    if (bad > 0) context.setExitCode(good > 0 ? PARTLY : FAILED)
  } catch (error) {
    throw withoutList(context, body.file, error)
  }
}

/** Tells each fault in a line of its own; the error that is left says how many there are. */
function withoutList({ out }: Context, file: string, error: unknown): unknown {
  if (!isAppError(error, 'ERR_USAGE') || out.isJson) return error
  const { details, hint } = error
  if (!Array.isArray(details?.faults)) return error
  const faults: readonly FaultAnswer[] = details.faults
  out.error(...faultLines(file, faults))
  const count = faults.length === 1 ? 'a fault' : `${faults.length} faults`
  return new AppError('ERR_USAGE', { message: `${file} has ${count}`, hint, details })
}

async function readText(file: string): Promise<string> {
  if (file === '-') return decode('standard input', await buffer(process.stdin))
  let bytes: Buffer
  try {
    bytes = await readFile(file)
  } catch (error) {
    const code = systemCode(error)
    const why = code === 'ENOENT' ? 'is not there' : `cannot be read: ${code}`
    const shown = code === 'ENOENT' ? 'ERR_NOT_FOUND' : 'ERR_USAGE'
    throw new AppError(shown, { message: `${file} ${why}`, cause: error })
  }
  return decode(file, bytes)
}

/** A byte that is no text would else become another character, silently. */
function decode(file: string, bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (error) {
    const lines = bytes.toString('latin1').split('\n')
    const at = lines.findIndex((line) => {
      return Buffer.from(Buffer.from(line, 'latin1').toString('utf8')).toString('latin1') !== line
    })
    throw new AppError('ERR_USAGE', {
      message: `${file}:${at + 1}: this is not UTF-8`,
      hint: 'nothing was changed; save the file as UTF-8',
      cause: error,
    })
  }
}
