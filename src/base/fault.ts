/**
 * Crash points: named places between the steps of work that must survive a power cut.
 *
 * `SLUICE_FAULT=trace:FILE` appends the name of each point passed to FILE; `SLUICE_FAULT=kill:N` ends the process by
 * SIGKILL at the N-th point passed, `SLUICE_FAULT=kill-at:NAME` at the first one of this name. Without the variable a point
 * costs one comparison. Crash tests walk all points.
 */
import { appendFileSync } from 'node:fs'

type Plan =
  | { kind: 'trace'; file: string }
  | { kind: 'kill'; left: number }
  | { kind: 'kill-at'; name: string }
  | undefined

function parsePlan(text: string | undefined): Plan {
  if (text?.startsWith('trace:')) return { kind: 'trace', file: text.slice('trace:'.length) }
  if (text?.startsWith('kill:')) return { kind: 'kill', left: Number(text.slice('kill:'.length)) }
  if (text?.startsWith('kill-at:')) return { kind: 'kill-at', name: text.slice('kill-at:'.length) }
  return undefined
}

const plan = parsePlan(process.env.SLUICE_FAULT)

/** Whether points are counted or written down: then work keeps to one order, at whatever cost. */
export function hasCrashPlan(): boolean {
  return plan !== undefined
}

/** A place where a crash must do no harm; `name` says between which steps it lies. */
export function crashPoint(name: string): void {
  if (plan === undefined) return
  if (plan.kind === 'trace') {
    appendFileSync(plan.file, `${name}\n`)
    return
  }
  if (plan.kind === 'kill-at') {
    if (plan.name === name) process.kill(process.pid, 'SIGKILL')
    return
  }
  plan.left -= 1
  if (plan.left <= 0) process.kill(process.pid, 'SIGKILL')
}
