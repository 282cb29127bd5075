/**
 * How an applied configuration is shown: each step with what it changes, and each fault of a file with its line.
 */
import type { ApplyAnswer, FaultAnswer, StepAnswer, StepChangeAnswer } from './api-config-types.ts'
import { plural, printable } from './words.ts'

const LEFT_SHOWN = 20

/** All steps, what stays besides, and how it went in one line. */
export function applyLines({ steps, left }: ApplyAnswer, isDryRun: boolean): string[] {
  return [...steps.flatMap(stepLines), ...leftLines(left), summary(steps, isDryRun)]
}

/** `site.toml:12: channel.web.base: there is no channel lab`, as editors and compilers write it. */
export function faultLines(file: string, faults: readonly FaultAnswer[]): string[] {
  return faults.map(({ line, path, message }) => {
    const where = path === '' ? '' : `${printable(path)}: `
    return `${printable(file)}:${line}: ${where}${printable(message)}`
  })
}

function stepLines({ action, object, changes, outcome, told, error }: StepAnswer): string[] {
  const failed = error === undefined ? '' : `: ${error.message}`
  const ending = outcome === 'failed' || outcome === 'left out' ? `  ${outcome}${failed}` : ''
  const width = Math.max(0, ...changes.map(({ what }) => what.length))
  return [
    printable(`${action} ${object}${ending}`),
    ...changes.map((one) => `  ${one.what.padEnd(width)}  ${printable(changeText(one, action))}`),
    ...told.map((text) => `  ${printable(text)}`),
    ...(error?.hint === undefined ? [] : [`  hint: ${printable(error.hint)}`]),
  ]
}

function changeText({ before, after }: StepChangeAnswer, action: StepAnswer['action']): string {
  if (before === undefined || action === 'add') return after ?? 'none'
  return `${before} -> ${after ?? 'none'}`
}

function leftLines(left: readonly string[]): string[] {
  if (left.length === 0) return []
  const shown = left.slice(0, LEFT_SHOWN).join(', ')
  const more = left.length > LEFT_SHOWN ? ` and ${left.length - LEFT_SHOWN} more` : ''
  return [printable(`not in the file, and left as it is (--prune removes it): ${shown}${more}`)]
}

function summary(steps: readonly StepAnswer[], isDryRun: boolean): string {
  if (steps.length === 0) return 'all is as the file says'
  if (isDryRun) return `${plural(steps.length, 'step')}; nothing was done`
  const count = (outcome: StepAnswer['outcome']): number =>
    steps.filter((one) => one.outcome === outcome).length
  const parts = [
    `${plural(count('done'), 'step')} done`,
    ...(['failed', 'left out'] as const)
      .filter((outcome) => count(outcome) > 0)
      .map((outcome) => `${count(outcome)} ${outcome}`),
  ]
  return parts.join(', ')
}
