/**
 * `sluice adopt DIR`: takes in package files that are on this machine already.
 */
import { resolve } from 'node:path'
import type { Command } from 'commander'
import type { AdoptProgress, AdoptReport } from '../keeping/adopt.ts'
import { type Context, run, type Surroundings } from './context.ts'
import { bar, createPace } from './progress.ts'
import { formatCount, formatSize, plural, printable } from './words.ts'

interface AdoptOptions {
  readonly dryRun?: boolean
  readonly reason?: string
}

const SHOWN = 10
const EVERY_MS = 100

/** Adds the command. */
export function adoptFilesCommand(program: Command, around: Surroundings): void {
  const adopt = program
    .command('adopt <dir>')
    .description("take in package files that this machine has, if an archive's index names them")
    .option('--dry-run', 'tell what would be taken, and take nothing')
    .option('--reason <text>', 'why, for the audit')
    .addHelpText(
      'after',
      '\n/var/cache/apt/archives, the tree of apt-cacher-ng or approx, a mounted installer image. The files stay where they are.',
    )
  run<AdoptOptions>(around, adopt, adoptFiles)
}

async function adoptFiles(
  context: Context,
  [dir = '']: readonly string[],
  { dryRun, reason }: AdoptOptions,
): Promise<void> {
  const client = await context.connect()
  const pace = createPace()
  let shownAt = 0
  const show = ({ done, total, doneBytes, totalBytes }: AdoptProgress): void => {
    const now = performance.now()
    if (now - shownAt < EVERY_MS && done < total) return
    shownAt = now
    const count = `${formatCount(done)} of ${plural(total, 'file')}, ${formatSize(doneBytes)}`
    const left = [count, pace.left(doneBytes, totalBytes)].filter(Boolean).join(', ')
    context.out.progress(`adopt    ${bar(totalBytes === 0 ? 1 : doneBytes / totalBytes)} ${left}`)
  }
  const body = { dir: resolve(dir), dryRun, reason }
  const report = await client.task<AdoptReport, AdoptProgress>('/adopt', body, show)
  context.out.clear()
  context.out.result(report, (one) => adoptLines(one, dryRun === true))
  if (report.problem !== undefined || report.unreadable.length > 0) context.setExitCode(3)
}

function adoptLines(report: AdoptReport, isDryRun: boolean): string[] {
  const { adopted, held, unknown, unknownFiles, unreadable, others, problem } = report
  const amount = ({ files, bytes }: AdoptReport['held']): string =>
    `${plural(files, 'file')}, ${formatSize(bytes)}`
  return [
    `${isDryRun ? 'would take' : 'adopted   '} ${amount(adopted)}`,
    `held       ${amount(held)}`,
    `unknown    ${amount(unknown)}${unknown.files > 0 ? ': no archive here names them' : ''}`,
    ...someOf(unknownFiles),
    ...(unreadable.length > 0 ? [`unreadable ${plural(unreadable.length, 'file')}`] : []),
    ...someOf(unreadable),
    ...(others > 0 ? [`${plural(others, 'other file')} passed over`] : []),
    ...(problem === undefined ? [] : [`ended early: ${printable(problem)}`]),
  ]
}

function someOf(names: readonly string[]): string[] {
  const shown = names.slice(0, SHOWN).map((name) => `  ${printable(name)}`)
  return names.length > SHOWN ? [...shown, `  and ${names.length - SHOWN} more: --json`] : shown
}
