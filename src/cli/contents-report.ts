/**
 * How differences of packages' contents are shown: what is dangerous first, of all packages together; then a block for each
 * source with what differs in its binary packages. Texts and lists are cut; `--json` has more of them.
 */
import type { Alert } from '../desk/contents-alerts.ts'
import type {
  ContentsDifference,
  FileChange,
  FileLists,
  ListedFile,
  TextChange,
} from '../desk/contents-difference.ts'
import type { PackageContents, SourceContents } from '../desk/diff-contents.ts'
import type { ContentsAnswer } from './api-history-types.ts'
import { valueLines } from './difference-report.ts'
import { cut } from './table.ts'
import { formatChange, formatCount, plural, printable } from './words.ts'

const MAX_DIFF_LINES = 40
const MAX_FILES = 20

/** The report, cut to the width of a terminal. */
export function contentsLines(answer: ContentsAnswer, width: number | undefined): string[] {
  const { sources, same, from, to } = answer
  const [a, b] = [from, to].map(({ channel, serial }) => `${channel}@${serial}`)
  const lines = [
    ...alertLines(sources),
    ...sources.flatMap(sourceLines),
    ...same.map((source) => `${source} is the same in ${a} and ${b}`),
  ].map(printable)
  return width === undefined ? lines : lines.map((line) => cut(line, width))
}

interface Found {
  readonly alert: Alert
  readonly names: string[]
}

/** The alerts of all packages, each once: architectures often say the same. */
function alertLines(sources: readonly SourceContents[]): string[] {
  const found = new Map<string, Found>()
  const packages = sources.flatMap((source) => source.packages)
  for (const { package: name, contents } of packages) {
    for (const alert of contents?.alerts ?? []) {
      const key = JSON.stringify([name, alert])
      if (!found.has(key)) found.set(key, { alert, names: [name] })
    }
  }
  const compared = packages.filter(({ contents }) => contents !== undefined).length
  if (compared === 0) return []
  if (found.size === 0) {
    return ['nothing new that gives rights, listens or runs by itself', '']
  }
  const rows = [...found.values()].map(({ alert, names }) => ({
    title: `${alert.is} ${alert.kind}`,
    text: `${names.join(' ')}: ${alert.what}${alert.where === undefined ? '' : ` (${alert.where})`}`,
  }))
  const wide = Math.max(...rows.map(({ title }) => title.length))
  return [...rows.map(({ title, text }) => `! ${title.padEnd(wide)}  ${text}`), '']
}

function sourceLines(source: SourceContents): string[] {
  const { archive, suite, packages } = source
  return [
    `${formatChange(source)}  ${archive} ${suite}`,
    ...(packages.length === 0 ? ['  no binary package of this architecture differs'] : []),
    ...packages.flatMap(packageLines),
    '',
  ]
}

function packageLines(one: PackageContents): string[] {
  const list = (version: string | undefined): string[] => (version === undefined ? [] : [version])
  const change = { source: one.package, old: list(one.old), new: list(one.new) }
  const renamed = one.renamedFrom === undefined ? '' : `  in place of ${one.renamedFrom}`
  const inside = one.contents === undefined ? [] : contentLines(one.contents)
  const { problem } = one
  const said = problem === undefined ? inside : [`not compared: ${problem.message}`]
  return [
    `  ${formatChange(change)}  ${one.architecture}${renamed}`,
    ...said.map((line) => `    ${line}`),
  ]
}

function contentLines({ fields, scripts, notable, files }: ContentsDifference): string[] {
  const width = Math.max(0, ...fields.map(({ field }) => field.length))
  return [
    ...fields.flatMap(({ field, old, new: fresh }) =>
      valueLines(field, old, fresh).map(
        (line, at) => `${(at === 0 ? field : '').padEnd(width)}  ${line}`,
      ),
    ),
    ...scripts.flatMap((one) => textLines(one, 'script')),
    ...notable.flatMap((one) => textLines(one, kindOf(one))),
    ...fileLines(files),
  ]
}

function kindOf({ kind, isConffile }: FileChange): string {
  return [kind, isConffile ? 'conffile' : undefined].filter(Boolean).join(', ')
}

function textLines({ name, change, diff = [], left = 0 }: TextChange, kind: string): string[] {
  const shown = diff.slice(0, MAX_DIFF_LINES)
  const more = left + diff.length - shown.length
  return [
    `${change} ${name} (${kind})`,
    ...shown.map((line) => `  ${line.replaceAll('\t', '        ')}`),
    ...(more > 0 ? [`  … ${plural(more, 'line')} more: --json`] : []),
  ]
}

function fileLines({ added, removed, changed, counts }: FileLists): string[] {
  const words = (['added', 'removed', 'changed'] as const)
    .filter((one) => counts[one] > 0)
    .map((one) => `${formatCount(counts[one])} ${one}`)
  if (words.length === 0) return ['files  the same']
  // That the content differs is what an update is: told by its count.
  const otherwise = changed.filter(({ what }) => what !== 'content')
  return [
    `files  ${words.join(', ')}`,
    ...listLines('+', added, counts.added),
    ...listLines('-', removed, counts.removed),
    ...listLines('~', otherwise, otherwise.length),
  ]
}

function listLines(sign: string, files: readonly ListedFile[], count: number): string[] {
  const shown = files.slice(0, MAX_FILES)
  const more = count - shown.length
  return [
    ...shown.map(({ path, what }) => `  ${sign} ${path}  ${what}`),
    ...(more > 0 ? [`  ${sign} … ${formatCount(more)} more`] : []),
  ]
}
