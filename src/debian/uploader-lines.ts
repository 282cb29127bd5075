/**
 * Rules of uploaders as a line of text, for the command line and for files: keys, then patterns of source packages, then what
 * narrows them.
 *
 *   9F3C…E1,77D0…13 acme-* !acme-secret suite=stable package=acme-* arch=all
 */
import type { UploaderRule } from './uploaders.ts'

const words = { package: 'packages', suite: 'suites', arch: 'architectures' } as const
type Word = keyof typeof words
const fingerprint = /^(?:[0-9A-F]{40}|[0-9A-F]{64})$/
const pattern = /^!?[A-Za-z0-9*][A-Za-z0-9*+.~_/-]{0,199}$/
const mostPatterns = 200

/** A rule, or what is wrong with the line. */
export function parseUploader(line: string): UploaderRule | { readonly fault: string } {
  const [first = '', ...rest] = line.trim().split(/\s+/)
  const keys = first.toUpperCase().replaceAll('0X', '').split(',')
  const odd = keys.find((key) => !fingerprint.test(key))
  if (odd !== undefined) return { fault: `${JSON.stringify(odd)} is no fingerprint of a key` }
  const narrowed: Partial<Record<(typeof words)[Word], string[]>> = {}
  const sources: string[] = []
  for (const text of rest) {
    const [, word, value] = /^(package|suite|arch)=(.*)$/.exec(text) ?? []
    const one = value ?? text
    if (!pattern.test(one)) return { fault: `${JSON.stringify(text)} is no pattern of names` }
    if (word === undefined) sources.push(one)
    else {
      const key = words[word as Word]
      narrowed[key] = [...(narrowed[key] ?? []), one]
    }
  }
  if (!sources.some((one) => !one.startsWith('!')))
    return { fault: 'it names no source packages: acme-*, or * for all' }
  if (rest.length > mostPatterns) return { fault: `more than ${mostPatterns} patterns` }
  return { keys, sources, ...narrowed }
}

/** The line of a rule. */
export function formatUploader(rule: UploaderRule): string {
  const narrowed = Object.entries(words).flatMap(([word, key]) =>
    (rule[key] ?? []).map((one) => `${word}=${one}`),
  )
  return [rule.keys.join(','), ...rule.sources, ...narrowed].join(' ')
}
