/**
 * Scripts as tests of the command line: what a person types, and what the terminal answers.
 *
 *     # a comment, anywhere at the beginning of a line
 *     > publish hello=2            (something happens in the world; the test says what)
 *     $ sluice pending             (run by sh, with sluice in PATH)
 *     SOURCE  APPROVED  TESTING …  (what it prints: standard output, then standard error)
 *     [exit 4]                     (its exit code, unless 0)
 *
 * In what is printed `…` stands for any text within a line, and a line `...` for any lines. Blank lines at the end of an
 * answer do not count.
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Test } from 'tap'
import { run } from './run.ts'

const binDir = join(import.meta.dirname, '../../bin')

export interface ScriptOptions {
  /** What the lines with `>` may name; told the words after it. */
  readonly actions: Readonly<Record<string, (...words: string[]) => Promise<void> | void>>
  readonly env: Readonly<Record<string, string>>
  readonly cwd: string
}

type Step =
  | { readonly kind: 'action'; readonly line: string }
  | { readonly kind: 'command'; readonly line: string; readonly answer: string[] }

/** Plays a script from the top; each command is an assertion. The first wrong answer ends it. */
export async function playScript(t: Test, path: string, options: ScriptOptions): Promise<void> {
  const steps = parse(await readFile(path, 'utf8'))
  for (const step of steps) {
    if (step.kind === 'action') {
      const [verb = '', ...words] = step.line.split(/\s+/)
      const action = options.actions[verb]
      if (action === undefined) throw new Error(`${path}: there is no action ${verb}`)
      await action(...words)
      continue
    }
    const env = { ...options.env, PATH: `${binDir}:${process.env.PATH}` }
    const { cwd } = options
    const { code, stdout, stderr } = await run('sh', ['-c', step.line], { env, cwd })
    const ending = code === 0 ? '' : `[exit ${code}]\n`
    const answer = `${stdout}${stderr}`.trimEnd()
    const seen = `${answer}${answer === '' ? '' : '\n'}${ending}`
    const wanted = step.answer.join('\n').trimEnd()
    if (t.match(seen.trimEnd(), patternOf(wanted), `$ ${step.line}`, { wanted })) continue
    return
  }
}

function parse(text: string): Step[] {
  const steps: Step[] = []
  for (const line of text.split('\n')) {
    const last = steps.at(-1)
    if (line.startsWith('# ')) continue
    if (line.startsWith('> ')) steps.push({ kind: 'action', line: line.slice(2) })
    else if (line.startsWith('$ ')) steps.push({ kind: 'command', line: line.slice(2), answer: [] })
    else if (last?.kind === 'command') last.answer.push(line)
    else if (line.trim() !== '') throw new Error(`an answer without a command: ${line}`)
  }
  return steps
}

function patternOf(answer: string): RegExp {
  const lines = answer.split('\n').map((line) => {
    if (line === '...') return '(?:[^]*)'
    const escaped = line.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
    return escaped.replaceAll('…', '[^\\n]*?')
  })
  return new RegExp(`^${lines.join('\\n')}$`)
}
