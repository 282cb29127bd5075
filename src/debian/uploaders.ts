/**
 * Who may upload what: rules of an archive, each for some keys. Nobody may what no rule allows; a pattern with `!` before it
 * takes away from the rule that it stands in. What is asked is asked of verified signers alone.
 */
import type { Signer } from './openpgp-signature.ts'

export interface UploaderRule {
  /** Fingerprints of primary keys: 40 (or 64) upper-case hex digits. */
  readonly keys: readonly string[]
  /** Patterns of source packages: `acme-*`, `!acme-secret`; `*` stands for any run of characters. */
  readonly sources: readonly string[]
  /** Patterns of binary packages; any of those sources unless told. */
  readonly packages?: readonly string[] | undefined
  /** Patterns of suites; all unless told. */
  readonly suites?: readonly string[] | undefined
  /** Patterns of architectures, `source` among them; all unless told. */
  readonly architectures?: readonly string[] | undefined
}

export interface UploadRequest {
  readonly signers: readonly Pick<Signer, 'fingerprint'>[]
  readonly source: string
  readonly packages: readonly string[]
  readonly suite: string
  readonly architectures: readonly string[]
}

export type UploadVerdict =
  | { readonly kind: 'allowed'; readonly fingerprint: string; readonly rule: UploaderRule }
  | {
      readonly kind: 'refused'
      /** For people. */
      readonly why: string
    }

/** Whether one rule allows all of the upload to one of its signers; rules are not added up. */
export function mayUpload(rules: readonly UploaderRule[], request: UploadRequest): UploadVerdict {
  const { signers, source, packages, suite, architectures } = request
  let closest = { steps: 0, why: 'no rule names a key that signed it' }
  for (const { fingerprint } of signers) {
    for (const rule of rules) {
      if (!rule.keys.includes(fingerprint)) continue
      const by = `key ${fingerprint} may not upload`
      const fault =
        firstOutside([source], rule.sources, 1, `${by} the source`) ??
        firstOutside(packages, rule.packages, 2, `${by} the package`) ??
        firstOutside([suite], rule.suites, 3, `${by} to the suite`) ??
        firstOutside(architectures, rule.architectures, 4, `${by} for the architecture`)
      if (fault === undefined) return { kind: 'allowed', fingerprint, rule }
      if (fault.steps > closest.steps) closest = fault
    }
  }
  return { kind: 'refused', why: closest.why }
}

/** Whether a name is what these patterns allow: one without `!` must match, none with. */
export function matchesPatterns(name: string, patterns: readonly string[]): boolean {
  const isMatch = (pattern: string): boolean => isLike(name, pattern)
  return (
    patterns.some((pattern) => !pattern.startsWith('!') && isMatch(pattern)) &&
    !patterns.some((pattern) => pattern.startsWith('!') && isMatch(pattern.slice(1)))
  )
}

function firstOutside(
  names: readonly string[],
  patterns: readonly string[] | undefined,
  steps: number,
  what: string,
): { steps: number; why: string } | undefined {
  if (patterns === undefined) return undefined
  const outside = names.find((name) => !matchesPatterns(name, patterns))
  return outside === undefined ? undefined : { steps, why: `${what} ${outside}` }
}

/** Parts between stars, each found as early as can be: no pattern takes longer than its length times the name's. */
function isLike(name: string, pattern: string): boolean {
  const [first = '', ...rest] = pattern.split('*')
  const last = rest.pop()
  if (last === undefined) return name === pattern
  if (!name.startsWith(first)) return false
  let at = first.length
  for (const part of rest) {
    const found = name.indexOf(part, at)
    if (found < 0) return false
    at = found + part.length
  }
  return name.length - last.length >= at && name.endsWith(last)
}
