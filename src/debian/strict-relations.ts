/**
 * Relations between packages as they may stand in a binary package (Debian Policy 7.1), checked as dpkg does when it
 * installs one: what is wrong is told, never read as something else.
 */
import { quoted } from './upload-refusal.ts'
import { isVersion } from './version.ts'

/** Fields that are relations; of those told here one may not write alternatives. */
const relationFields: ReadonlyMap<string, { readonly alternatives: boolean }> = new Map([
  ['depends', { alternatives: true }],
  ['pre-depends', { alternatives: true }],
  ['recommends', { alternatives: true }],
  ['suggests', { alternatives: true }],
  ['enhances', { alternatives: true }],
  ['breaks', { alternatives: false }],
  ['conflicts', { alternatives: false }],
  ['replaces', { alternatives: false }],
  ['provides', { alternatives: false }],
  ['built-using', { alternatives: false }],
  ['static-built-using', { alternatives: false }],
])

const alternative =
  /^([A-Za-z0-9][A-Za-z0-9+._-]*)(?::([a-z0-9][a-z0-9-]*))?\s*(?:\(\s*(<<|<=|>=|>>|=|<|>)?\s*([^\s()]+)\s*\))?$/
/** dpkg has no limit; what is longer was not written by people. */
const mostAlternatives = 20_000
const longestAlternative = 500

/** Whether the field has relations. */
export function isRelationField(name: string): boolean {
  return relationFields.has(name.toLowerCase())
}

/** What is wrong with the value of a field of relations; undefined if nothing is. */
export function relationFault(field: string, value: string): string | undefined {
  const isListed = relationFields.get(field.toLowerCase())?.alternatives ?? true
  const clauses = value.split(',', mostAlternatives + 1)
  let count = 0
  for (const clause of clauses) {
    if (clause.trim() === '')
      return clauses.length === 1 ? 'it is empty' : 'nothing between two commas'
    const alternatives = clause.split('|')
    if (alternatives.length > 1 && !isListed) return `alternatives in it: ${quoted(clause.trim())}`
    count += alternatives.length
    if (count > mostAlternatives) return `more than ${mostAlternatives} relations`
    for (const text of alternatives) {
      const fault = alternativeFault(field, text.trim())
      if (fault !== undefined) return fault
    }
  }
  return undefined
}

function alternativeFault(field: string, text: string): string | undefined {
  if (text.includes('${')) return `a variable that nobody filled in: ${quoted(text)}`
  const match = text.length > longestAlternative ? null : alternative.exec(text)
  if (match === null) return `no relation: ${quoted(text)}`
  const [, , , operator, version] = match
  if (version === undefined) return undefined
  if (!isVersion(version)) return `no version: ${quoted(version)} in ${quoted(text)}`
  if (field.toLowerCase() === 'provides' && operator !== '=' && operator !== undefined)
    return `only exact versions can be provided: ${quoted(text)}`
  return undefined
}
