/**
 * `sluice audit`: who changed what, as a table, JSON or CSV, and whether the record is whole. Rows are shown as they come
 * and never held all at once: there may be a million of them.
 */
import type { Command } from 'commander'
import { AppError } from '../base/errors.ts'
import type { AuditAnswer, AuditCheckAnswer, VerifyEvent } from './api-types.ts'
import { auditCheckLines, auditColumns, csvHeading, csvLine } from './audit-report.ts'
import { type Context, run, type Surroundings } from './context.ts'
import { readNumber } from './number.ts'
import { bar, createPace } from './progress.ts'
import { startTable } from './table.ts'
import { readWhen, whenHelp } from './when.ts'
import { formatCount } from './words.ts'

interface AuditOptions {
  readonly since?: string
  readonly until?: string
  readonly who?: string
  readonly what?: string
  readonly object?: string
  readonly limit?: string
  readonly all?: boolean
  readonly csv?: boolean
}

const LIMIT = 50
/** Rows that are written together. */
const BLOCK = 500

/** Adds the command, with its check. */
export function auditCommands(program: Command, around: Surroundings): void {
  const audit = program
    .command('audit')
    .description('who changed what, when and why; newest first')
    .option('--since <time>', `not before: ${whenHelp}`)
    .option('--until <time>', 'not after; a day counts whole')
    .option('--who <token>', 'changes made with this token; system: by the server itself')
    .option('--what <words>', 'promote, rollback, channel (create, set, delete), …')
    .option('--object <words>', "what was changed: 'channel approved'")
    .option('--limit <number>', `how many (default: ${LIMIT})`)
    .option('--all', 'all of them')
    .option('--csv', 'as CSV, times in UTC')
  run(around, audit, showAudit)
  const verify = audit
    .command('verify')
    .description('whether a row was changed, taken away or moved behind the back of the server')
  run(around, verify, verifyAudit)
}

async function showAudit(
  context: Context,
  _args: readonly string[],
  options: AuditOptions,
): Promise<void> {
  const { out } = context
  const query = queryOf(options)
  if (options.csv === true && out.isJson) {
    throw new AppError('ERR_USAGE', { message: 'one of --csv and --json', hint: 'leave one out' })
  }
  const client = await context.connect()
  const show = options.csv === true ? showCsv() : out.isJson ? showJson() : showTable(out.width)
  await out.piece(show.begin)
  let block: AuditAnswer[] = []
  let count = 0
  for await (const row of client.list<AuditAnswer>(`/audit?${query}`)) {
    count++
    block.push(row)
    if (block.length < BLOCK) continue
    await out.piece(show.rows(block))
    block = []
  }
  await out.piece(show.rows(block))
  await out.piece(count === 0 ? show.none : show.end)
}

function queryOf(options: AuditOptions): URLSearchParams {
  const { since, until, who, what, object, limit, all = false } = options
  if (all && limit !== undefined) {
    throw new AppError('ERR_USAGE', { message: 'one of --all and --limit', hint: 'leave one out' })
  }
  const now = Date.now()
  const told = {
    since: since === undefined ? undefined : readWhen('--since', since, { now }),
    until: until === undefined ? undefined : readWhen('--until', until, { now, end: true }),
    who,
    what,
    object,
    limit: all ? undefined : limit === undefined ? LIMIT : readNumber('--limit', limit),
  }
  const query = new URLSearchParams()
  for (const [name, value] of Object.entries(told)) {
    if (value !== undefined) query.set(name, String(value))
  }
  return query
}

/** How rows are written: what stands around them, and what there is to say where there are none. */
interface Show {
  readonly begin: string
  rows(rows: readonly AuditAnswer[]): string
  readonly end: string
  readonly none: string
}

function showTable(width: number | undefined): Show {
  const table = startTable(auditColumns, width)
  const rows: Show['rows'] = (some) => (some.length === 0 ? '' : `${table(some).join('\n')}\n`)
  return { begin: '', rows, end: '', none: 'no change fits\n' }
}

function showCsv(): Show {
  return { begin: csvHeading, rows: (some) => some.map(csvLine).join(''), end: '', none: '' }
}

function showJson(): Show {
  let isFirst = true
  const item = (row: AuditAnswer): string => {
    const comma = isFirst ? '' : ','
    isFirst = false
    return `${comma}\n  ${JSON.stringify(row, undefined, 2).replaceAll('\n', '\n  ')}`
  }
  return { begin: '[', rows: (some) => some.map(item).join(''), end: '\n]\n', none: ']\n' }
}

async function verifyAudit(context: Context): Promise<void> {
  const client = await context.connect()
  const pace = createPace()
  const check = await client.task<AuditCheckAnswer, VerifyEvent>('/audit/verify', {}, (event) => {
    const { done, total } = event
    const left = [`${formatCount(done)} of ${formatCount(total)}`, pace.left(done, total)]
    context.out.progress(`verify   audit  ${bar(done / total)} ${left.filter(Boolean).join(', ')}`)
  })
  context.out.clear()
  context.out.result(check, auditCheckLines)
  if (check.problem !== undefined) context.setExitCode(1)
}
