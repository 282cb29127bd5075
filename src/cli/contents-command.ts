/**
 * `sluice diff A B --contents SOURCE…`: packages compared file by file, with progress while their files come and are read.
 */
import { AppError } from '../base/errors.ts'
import type { ContentsAnswer } from './api-history-types.ts'
import type { FetchEvent } from './api-types.ts'
import { contentsLines } from './contents-report.ts'
import { type Context, splitList } from './context.ts'
import { bar } from './progress.ts'
import { formatSize, plural } from './words.ts'

export interface ContentsOptions {
  readonly contents?: readonly string[]
  readonly arch?: readonly string[]
}

type ContentsEvent = FetchEvent | { readonly kind: 'read'; done: number; total: number }

/** Compares and prints; ends with 3 if a package could not be compared. */
export async function showContents(
  context: Context,
  [from = '', to = '']: readonly string[],
  { contents, arch }: ContentsOptions,
): Promise<void> {
  const client = await context.connect()
  const body = { from, to, sources: splitList(contents), architectures: splitList(arch) }
  const show = (event: ContentsEvent): void => context.out.progress(progressText(event))
  const answer = await client.task<ContentsAnswer, ContentsEvent>('/diff/contents', body, show)
  context.out.clear()
  context.out.result(answer, (one) => contentsLines(one, context.out.width))
  const problems = answer.sources
    .flatMap(({ packages }) => packages)
    .filter(({ problem }) => problem !== undefined)
  if (problems.length > 0) context.setExitCode(3)
}

/** `--arch` says which packages are read: without `--contents` there is nothing to say. */
export function assertContents({ contents, arch }: ContentsOptions): void {
  if (arch === undefined || contents !== undefined) return
  throw new AppError('ERR_USAGE', {
    message: '--arch is for --contents',
    hint: 'sluice diff A B --contents SOURCE --arch ARCHITECTURE',
  })
}

function progressText(event: ContentsEvent): string {
  const { done, total } = event
  if (event.kind === 'read') {
    return `read     ${done} of ${plural(total, 'package')}  ${bar(done / total)}`
  }
  const { doneBytes, totalBytes } = event
  const sizes = `${formatSize(doneBytes)} of ${formatSize(totalBytes)}`
  return `fetch    ${done} of ${plural(total, 'file')}  ${bar(doneBytes / totalBytes)} ${sizes}`
}
