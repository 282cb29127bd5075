/**
 * `sluice publish`: packages of one's own into a local archive, from where channels take them.
 */
import { basename } from 'node:path'
import type { Command } from 'commander'
import { AppError, isAppError, toAppError } from '../base/errors.ts'
import type {
  FollowAnswer,
  PublishAnswer,
  PublishedFile,
  WarningsAnswer,
} from './api-upload-types.ts'
import type { Client } from './client.ts'
import { type Context, run, type Surroundings } from './context.ts'
import { bar, createPace } from './progress.ts'
import { publishedLine, publishLines } from './publish-report.ts'
import { sendChanges } from './send-changes.ts'
import { sendDeb } from './send-file.ts'
import { readUntil, untilHelp } from './when.ts'
import { formatSize, printable } from './words.ts'

interface PublishOptions {
  readonly to: string
  readonly suite?: string
  readonly component?: string
  /** False for `--no-wait`. */
  readonly wait: boolean
  readonly expires?: string
  readonly reason?: string
}

/** Adds the command. */
export function publishCommand(program: Command, around: Surroundings): void {
  const publish = program
    .command('publish <file...>')
    .description(
      'put packages of your own (.deb, or .changes with all it lists) into a local archive',
    )
    .requiredOption('--to <archive>', 'the local archive')
    .option('--suite <suite>', 'its suite, if it has several')
    .option('--component <component>', 'its component, if not the first one')
    .option('--expires <when>', `take it out by itself then: ${untilHelp}; or never`)
    .option('--no-wait', 'do not wait until channels that follow it have them')
    .option('--reason <text>', 'why, for the audit')
  run(around, publish, publishFiles)
}

async function publishFiles(
  context: Context,
  files: readonly string[],
  options: PublishOptions,
): Promise<void> {
  for (const file of files) assertKind(file)
  const endsAt = options.expires === undefined ? undefined : readEnd(options.expires)
  const client = await context.connect()
  const packages: PublishedFile[] = []
  const errors: AppError[] = []
  for (const file of files) {
    try {
      const one = await publishFile(context, client, file, options)
      packages.push(one)
      context.out.lines(...publishedLine(one))
    } catch (thrown) {
      const error = toAppError(thrown)
      if (context.signal.aborted || isAppError(error, 'ERR_NO_SERVER')) throw error
      errors.push(error)
      const { code, message, hint } = error
      packages.push({ file, packages: [], warnings: [], error: { code, message, hint } })
    }
  }
  const isPartly = errors.length < files.length
  for (const { file, error } of context.out.isJson || !isPartly ? [] : packages)
    if (error !== undefined) {
      context.out.error(`sluice: error: ${printable(`${basename(file)}: ${error.message}`)}`)
      if (error.hint !== undefined) context.out.error(`sluice: hint: ${printable(error.hint)}`)
    }
  const [first] = errors
  if (first !== undefined && !isPartly) throw named(first, files, errors.length)
  if (endsAt !== undefined) await setEnds(client, packages, endsAt, options)
  const isNew = packages.some((one) => one.packages.some(({ outcome }) => outcome === 'published'))
  const generations = options.wait && isNew ? await follow(client, options.to) : []
  const { warnings } = isNew ? await warningsOf(client, options.to, packages) : { warnings: [] }
  const answer: PublishAnswer = {
    ...{ packages, generations, warnings },
    endsAt: endsAt ?? undefined,
  }
  context.out.result(answer, (all) => publishLines(all, options))
  if (errors.length > 0) context.setExitCode(3)
}

async function publishFile(
  context: Context,
  client: Client,
  file: string,
  { to, suite, component, reason }: PublishOptions,
): Promise<PublishedFile> {
  const pace = createPace()
  const onProgress = (done: number, total: number): void => {
    const left = [`${formatSize(done)} of ${formatSize(total)}`, pace.left(done, total)]
    const text = `${basename(file)}  ${bar(done / total)} ${left.filter(Boolean).join(', ')}`
    context.out.progress(text)
  }
  const how = { archive: to, suite, component, reason, onProgress, signal: context.signal }
  const { published, warnings } = file.endsWith('.deb')
    ? await sendDeb(client, file, how)
    : await sendChanges(client, file, how)
  context.out.clear()
  return { file, packages: [published].flat(), warnings }
}

/** Epoch milliseconds; null is never. */
function readEnd(text: string): number | null {
  return text === 'never' ? null : readUntil('--expires', text, Date.now())
}

async function setEnds(
  client: Client,
  files: readonly PublishedFile[],
  endsAt: number | null,
  { to, reason }: PublishOptions,
): Promise<void> {
  const packages = files.flatMap((one) =>
    one.packages.map(({ name, version, architecture, suite, component }) => {
      return { name, version, architecture, suite, component }
    }),
  )
  if (packages.length === 0) return
  const path = `/archives/${encodeURIComponent(to)}/ends`
  await client.call('PUT', path, { packages, endsAt, reason })
}

/** Waits until channels have what was published. */
async function follow(client: Client, archive: string): Promise<FollowAnswer['generations']> {
  const path = `/archives/${encodeURIComponent(archive)}/follow`
  return (await client.call<FollowAnswer>('POST', path)).generations
}

/** What there is to be said of the packages, now that they are out. */
async function warningsOf(
  client: Client,
  archive: string,
  files: readonly PublishedFile[],
): Promise<WarningsAnswer> {
  const packages = files
    .flatMap((one) => one.packages)
    .filter(({ outcome }) => outcome === 'published')
    .map(({ name, version, architecture }) => ({ name, version, architecture }))
  return client.call('POST', `/archives/${encodeURIComponent(archive)}/warnings`, { packages })
}

function assertKind(file: string): void {
  if (/\.(deb|changes)$/.test(file)) return
  throw new AppError('ERR_USAGE', {
    message: `${file} is no package`,
    hint: 'name files that end in .deb or .changes',
  })
}

/** The error of all files that failed: of one with its name, since its message need not have it. */
function named(error: AppError, files: readonly string[], count: number): AppError {
  const { code, message, hint, details } = error
  const [file = ''] = files
  const more = count > 1 ? ` (and ${count - 1} more files)` : ''
  return new AppError(code, { message: `${basename(file)}: ${message}${more}`, hint, details })
}
