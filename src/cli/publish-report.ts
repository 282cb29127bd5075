/**
 * How what was published is shown.
 */
import type { PublishAnswer, PublishedFile } from './api-upload-types.ts'
import { formatSize, formatTime, printable } from './words.ts'

/** The lines of one file: its packages, and what to look at. */
export function publishedLine({ packages, warnings }: PublishedFile): string[] {
  return [
    ...packages.map(({ name, version, architecture, suite, component, size, outcome }) => {
      const what = `${name} ${version} ${architecture}`
      const where = `${suite} ${component}`
      const verb = outcome === 'unchanged' ? 'known    ' : 'published'
      const note = outcome === 'unchanged' ? ', the same bytes: nothing changed' : ''
      return printable(`${verb}  ${what}  ${where}  ${formatSize(size)}${note}`)
    }),
    ...warnings.map(({ message }) => `  warning: ${printable(message)}`),
  ]
}

/** What came of all of them. */
export function publishLines(
  { packages, generations, warnings, endsAt }: PublishAnswer,
  { to, wait }: { readonly to: string; readonly wait: boolean },
): string[] {
  const isNew = packages.some((one) => one.packages.some(({ outcome }) => outcome === 'published'))
  const until = endsAt === undefined ? [] : [`until ${formatTime(endsAt)}, then it is taken out`]
  const told = [...until, ...warnings.map(({ message }) => `warning: ${printable(message)}`)]
  if (!isNew || !wait) return told
  if (generations.length === 0)
    return [...told, `no channel has it yet: sluice channel create NAME --follow ${to}`]
  return [...generations.map(({ channel, serial }) => `${channel} generation ${serial}`), ...told]
}
