/**
 * Relations between packages as the fields Depends, Pre-Depends, Conflicts, Breaks and Provides have them (Debian Policy
 * 7.1 and 7.5): clauses between commas, alternatives between bars, a version in parentheses, an architecture after the
 * name (`python3:any`).
 *
 * Tolerant, as archives are odd: an alternative that cannot be read becomes one that no package is the like of, so that a
 * dependency on it is not satisfied and a conflict with it hits nothing. Restrictions in brackets (`[amd64]`, `<!nocheck>`)
 * have no place in a binary package; they are read over. `<` and `>` are the old spellings of `<=` and `>=`.
 */
import { compareVersions } from './version.ts'

export type VersionOperator = '<<' | '<=' | '=' | '>=' | '>>'

/** One alternative: a package of this name, or one that provides it. */
export interface Relation {
  /** What stands there if it cannot be read: no package has such a name. */
  readonly name: string
  /** What follows the name's colon: `any`, `native`, or an architecture. */
  readonly qualifier?: string | undefined
  readonly operator?: VersionOperator | undefined
  readonly version?: string | undefined
}

const alternative =
  /^([A-Za-z0-9][A-Za-z0-9+._-]*)(?::([a-z0-9-]+))?\s*(?:\(\s*(<<|<=|>=|>>|=|<|>)\s*([^\s()]+)\s*\))?\s*(?:[[<].*)?$/s

/** The clauses of a field, as they are written; empty ones are left out. */
export function splitClauses(field: string): string[] {
  return field
    .split(',')
    .map((clause) => clause.trim())
    .filter((clause) => clause !== '')
}

/** The alternatives of one clause, in order. */
export function parseClause(clause: string): Relation[] {
  return clause.split('|').map((text) => parseAlternative(text.trim()))
}

/** A whole field: each of its clauses must hold by one of its alternatives. */
export function parseRelations(field: string): Relation[][] {
  return splitClauses(field).map(parseClause)
}

/** Whether a package of this version is what an alternative asks for; one without a version takes all. */
export function isVersionWanted(
  found: string,
  operator: VersionOperator | undefined,
  wanted: string,
): boolean {
  if (operator === undefined) return true
  const order = compareVersions(found, wanted)
  if (operator === '=') return order === 0
  if (operator === '<<') return order < 0
  if (operator === '<=') return order <= 0
  return operator === '>=' ? order >= 0 : order > 0
}

function parseAlternative(text: string): Relation {
  const match = alternative.exec(text)
  if (match === null) return { name: text }
  const [, name = '', qualifier, operator, version] = match
  return { name, qualifier, operator: readOperator(operator), version }
}

function readOperator(text: string | undefined): VersionOperator | undefined {
  if (text === '<' || text === '<=') return '<='
  if (text === '>' || text === '>=') return '>='
  return text === '<<' || text === '=' || text === '>>' ? text : undefined
}
