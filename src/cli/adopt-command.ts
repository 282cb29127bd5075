/**
 * `sluice channel adopt-release` and `sluice class adopt-release`: taking over what upstream calls its suites by now.
 *
 * apt takes another Suite or Version in silence (since 2.1.10), and refuses another Origin, Label, Codename or priority
 * until somebody accepts it. Source: apt's Acquire::AllowReleaseInfoChange in apt.conf(5).
 */
import type { Command } from 'commander'
import type { AdoptAnswer, SuiteDifference } from './api-based-types.ts'
import { fieldLines } from './based-report.ts'
import { type Context, run, type Surroundings } from './context.ts'
import { printable } from './words.ts'

interface AdoptOptions {
  readonly archive?: string
  readonly suite?: string
  readonly dryRun?: boolean
  readonly reason?: string
}

interface Group {
  readonly kind: 'channel' | 'class'
  /** In the API. */
  readonly root: string
}

/** Adds the command to the group of channels, or to that of classes. */
export function addAdoptCommand(group: Command, around: Surroundings, of: Group): void {
  const adopt = group
    .command('adopt-release <name>')
    .description('publish the Origin, Label, … that upstream has by now; machines must accept it')
    .option('--archive <archive>', 'of this archive alone')
    .option('--suite <suite>', 'of this suite alone')
    .option('--dry-run', 'tell what would happen, and change nothing')
    .option('--reason <text>', 'why, for the audit')
  run<AdoptOptions>(around, adopt, (context, args, options) =>
    adoptRelease(context, of, args, options),
  )
}

async function adoptRelease(
  context: Context,
  { kind, root }: Group,
  [name = '']: readonly string[],
  { archive, suite, dryRun, reason }: AdoptOptions,
): Promise<void> {
  const client = await context.connect()
  const path = `${root}/${encodeURIComponent(name)}/adopt-release`
  const answer = await client.call<AdoptAnswer>('POST', path, { archive, suite, dryRun, reason })
  context.out.result(answer, (one) => adoptLines(`${kind} ${name}`, one))
}

function adoptLines(title: string, { differences, generation }: AdoptAnswer): string[] {
  if (differences.length === 0)
    return [`${title} is published as upstream calls itself: nothing to do`]
  const verb = generation === undefined ? 'would publish' : 'publishes'
  return [
    `${title} ${verb}`,
    ...fieldLines(differences),
    ...clientLines(differences),
    generation === undefined ? 'nothing was changed' : `${title} generation ${generation.serial}`,
  ]
}

/** By field, the setting that lets apt take another value. */
const settings: Readonly<Record<string, string>> = {
  Origin: 'Origin',
  Label: 'Label',
  Codename: 'Codename',
  NotAutomatic: 'DefaultPin',
  ButAutomaticUpgrades: 'DefaultPin',
}

/** What has to be done on machines. */
function clientLines(differences: readonly SuiteDifference[]): string[] {
  const all = differences.flatMap(({ fields }) => fields)
  const names = [...new Set(all.flatMap(({ field }) => settings[field] ?? []))]
  const lines: string[] = []
  if (names.length > 0) {
    lines.push(
      'apt-get update fails on machines until that is accepted, once on each:',
      '  apt-get update --allow-releaseinfo-change',
      'or beforehand, in a file of /etc/apt/apt.conf.d:',
      ...names.map((name) => `  Acquire::AllowReleaseInfoChange::${name} "true";`),
    )
  }
  const pinned = all.filter(({ field }) => field === 'Origin' || field === 'Label')
  if (pinned.length > 0) {
    const words = pinned.map(({ field, published }) => `${field} ${published || '(none)'}`)
    lines.push(
      printable(
        `pins and unattended-upgrades that go by ${[...new Set(words)].join(', ')} have to be changed`,
      ),
    )
  }
  const renamed = all.filter(({ field }) => field === 'Suite' || field === 'Codename')
  if (renamed.length > 0) {
    const words = renamed.map(({ published, upstream }) => `${published} -> ${upstream}`)
    lines.push(
      printable(
        `lines of sources that name the suite by it have to be changed: ${[...new Set(words)].join(', ')}`,
      ),
    )
  }
  return lines
}
