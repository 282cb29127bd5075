/**
 * The digests of the configuration: `[digest.NAME]`.
 *
 * Of a webhook only the server is written down: `https://chat.example/…`. In a file this means the URL that the server has;
 * where it has none, the digest is made but switched off until somebody tells it.
 */
import { isAppError } from '../base/errors.ts'
import { tomlComment, tomlHeader, tomlLines } from '../base/toml.ts'
import {
  createDigest,
  deleteDigest,
  ownTimeZone,
  setDigest,
  usualSchedule,
} from './change-digest.ts'
import type { TableReader } from './config-reader.ts'
import {
  type ApplyParts,
  changeOf,
  listText,
  nothingPlanned,
  type Round,
  type Section,
  type SectionPlan,
  type Step,
  type StepChange,
} from './config-section.ts'
import { type PlainDigest, plainDigest } from './describe-digest.ts'
import { type Digest, type DigestTarget, listDigests } from './digest-table.ts'
import { assertDigestTimes, isWhole, readTarget, redactWebhook } from './judge-digest.ts'

/** The section. */
export const digestSection: Section = {
  key: 'digest',
  describe: async ({ db }, note) => {
    const lines = [
      '# What waits and what went, by mail or to a webhook, on a schedule.',
      '[digest]',
    ]
    for (const digest of await listDigests(db)) {
      const plain = await plainDigest(db, digest)
      if (plain.from !== undefined && plain.to !== undefined)
        lines.push('', ...linesOf(plain, note))
      else note(`${objectOf(digest)} is left out: a channel of it is deleted`)
    }
    return lines
  },
  plan: planDigests,
}

function linesOf(digest: PlainDigest, note: (text: string) => void): string[] {
  const { name, from = '', to = '', recipients, webhook = '', schedule, timeZone } = digest
  const lines = [tomlHeader(['digest', name]), ...tomlLines('from', from), ...tomlLines('to', to)]
  if (recipients !== undefined) lines.push(...tomlLines('mail', recipients))
  else {
    if (webhook.endsWith('…')) {
      note(`${objectOf(digest)}: the URL of its webhook is left out, but for the server`)
      lines.push(
        tomlComment(
          'Where the server has the rest of this URL it stays; on another one write it here.',
        ),
      )
    }
    lines.push(...tomlLines('webhook', webhook))
  }
  lines.push(...tomlLines('schedule', schedule), ...tomlLines('time-zone', timeZone))
  if (digest.always) lines.push('always = true')
  if (!digest.enabled) lines.push('enabled = false')
  return lines
}

async function planDigests(round: Round): Promise<SectionPlan> {
  const { root, parts, isPruning } = round
  const section = root.table('digest')
  if (section === undefined) return nothingPlanned
  const all = await listDigests(parts.db)
  const steps: Step[] = []
  for (const table of section.tables()) {
    const now = all.find(({ name }) => name === table.name)
    steps.push(...(await planDigest(round, table, now)))
  }
  const others = all.filter(({ name }) => !section.has(name))
  if (!isPruning) return { steps, removals: [], left: others.map(objectOf) }
  return { steps, removals: others.map((one) => removal(parts, one)), left: [] }
}

async function planDigest(
  round: Round,
  table: TableReader,
  now: Digest | undefined,
): Promise<Step[]> {
  const { parts } = round
  const from = readChannel(round, table, 'from')
  const to = readChannel(round, table, 'to')
  if (from !== undefined && from === to) table.fault('to', `nothing waits from ${from} for itself`)
  const target = readTargetOf(table, now)
  const schedule = table.text('schedule') ?? usualSchedule
  const timeZone = table.text('time-zone') ?? ownTimeZone()
  const [always, isOn] = [table.boolean('always') ?? false, table.boolean('enabled') ?? true]
  table.done()
  const areTimes = guarded(
    (message) => table.fault(faultKey(table, message), message),
    () => {
      assertDigestTimes({ schedule, timeZone }, parts.clock.now())
      return true
    },
  )
  if (from === undefined || to === undefined || target === undefined || areTimes === undefined)
    return []
  const enabled = isOn && isWhole(target)
  const where = target.kind === 'mail' ? { recipients: target.recipients } : { webhook: target.url }
  const wanted = { from, to, ...where, schedule, timeZone, always, enabled }
  const before = now && textsOf(await namesThen(round, now), now.target)
  const changes = [
    ...Object.entries(textsOf({ ...wanted, name: table.name }, target)).flatMap(([key, text]) =>
      changeOf(key, before?.[key] ?? (defaults[key] === text ? text : undefined), text),
    ),
    ...otherRest(now?.target, target),
  ]
  if (changes.length === 0) return []
  return [
    {
      action: now === undefined ? 'add' : 'change',
      object: objectOf(table),
      changes,
      needs: [`channel ${from}`, `channel ${to}`],
      run: async (reason) => {
        const input = { ...reason, name: table.name, ...wanted }
        await (now === undefined ? createDigest(parts, input) : setDigest(parts, input))
        const hint = `sluice digest set ${table.name} --webhook URL --enable`
        return enabled || !isOn ? undefined : [`switched off, the URL is not whole: ${hint}`]
      },
    },
  ]
}

function readChannel(
  { then, isPruning }: Round,
  table: TableReader,
  key: 'from' | 'to',
): string | undefined {
  const name = table.text(key)
  if (name === undefined) {
    if (!table.has(key)) table.fault(undefined, `it needs ${key}, the name of a channel`)
    return undefined
  }
  const known = then.channels.get(name)
  if (known === undefined || known.kind === 'class') {
    table.fault(key, `there is no channel ${name}${isPruning ? ', in the file' : ''}`)
  }
  return name
}

/** What is shown of the URL that the server has means that one. */
function readTargetOf(table: TableReader, now: Digest | undefined): DigestTarget | undefined {
  const recipients = table.texts('mail')
  const webhook = table.text('webhook')
  const [has, hasOther] = [table.has('mail'), table.has('webhook')]
  if (has === hasOther) {
    table.fault(undefined, 'it goes to mail = ["ADDRESS"] or webhook = "URL", one of them')
    return undefined
  }
  const known = now?.target
  if (known?.kind === 'webhook' && redactWebhook(known.url) === webhook) return known
  const fault = (message: string): void => table.fault(has ? 'mail' : 'webhook', message)
  return guarded(fault, () => readTarget({ recipients, webhook }))
}

/** What is done, or undefined after a fault. */
function guarded<T>(fault: (message: string) => void, work: () => T): T | undefined {
  try {
    return work()
  } catch (error) {
    if (!isAppError(error, 'ERR_USAGE')) throw error
    fault(error.message)
    return undefined
  }
}

function faultKey(table: TableReader, message: string): string | undefined {
  const key = message.startsWith('there is no time zone') ? 'time-zone' : 'schedule'
  return table.has(key) ? key : undefined
}

/** As it is, its channels called as they will be. */
async function namesThen({ parts, then }: Round, digest: Digest): Promise<PlainDigest> {
  const plain = await plainDigest(parts.db, digest)
  const nameOf = (id: number): string | undefined =>
    [...then.channels].find(([, { now }]) => now?.id === id)?.[0]
  return {
    ...plain,
    from: nameOf(digest.fromId) ?? plain.from,
    to: nameOf(digest.toId) ?? plain.to,
  }
}

const defaults: Readonly<Record<string, string>> = { always: 'false', enabled: 'true' }

/** Each setting as one text. */
function textsOf(digest: PlainDigest, target: DigestTarget): Record<string, string> {
  const { from = 'none', to = 'none', schedule, timeZone, always, enabled } = digest
  return {
    from,
    to,
    'goes to': target.kind === 'mail' ? listText(target.recipients) : redactWebhook(target.url),
    schedule,
    'time-zone': timeZone,
    always: String(always),
    enabled: String(enabled),
  }
}

/** That the URL is another one, where nothing of that can be shown. */
function otherRest(before: DigestTarget | undefined, after: DigestTarget): StepChange[] {
  if (before?.kind !== 'webhook' || after.kind !== 'webhook') return []
  const shown = redactWebhook(after.url)
  const isOther = before.url !== after.url && redactWebhook(before.url) === shown
  return isOther ? [{ what: 'goes to', before: shown, after: `${shown} (another URL)` }] : []
}

function removal(parts: ApplyParts, digest: Digest): Step {
  const { name } = digest
  return {
    action: 'remove',
    object: objectOf(digest),
    changes: [],
    needs: [],
    run: async (reason) => {
      await deleteDigest(parts, { ...reason, name })
      return undefined
    },
  }
}

function objectOf({ name }: { readonly name: string }): string {
  return `digest ${name}`
}
