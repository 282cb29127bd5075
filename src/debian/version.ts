/**
 * Versions of packages: their order and their syntax.
 *
 * The order is dpkg's, exactly (Debian Policy 5.6.12; dpkg's deb-version(7)): epoch, upstream version, revision (split
 * at the last hyphen), each as runs of non-digits and digits in turn; `~` sorts before the end, the end before letters,
 * letters before all else; digits compare as numbers of any length; an absent part is an empty one, which equals 0.
 */

const tilde = 0x7e
const zero = 0x30
const nine = 0x39
const largestEpoch = 0x7fff_ffff
const upstreamSyntax = /^[0-9][A-Za-z0-9.+:~-]*$/
const revisionSyntax = /^[A-Za-z0-9.+~]+$/

/** Negative if `a` is earlier than `b`, 0 if they are equal to dpkg (`1.0` and `1.0-0` are), else positive. */
export function compareVersions(a: string, b: string): number {
  if (a === b) return 0
  const colonA = a.indexOf(':')
  const colonB = b.indexOf(':')
  const byEpoch = comparePart(a, 0, Math.max(colonA, 0), b, 0, Math.max(colonB, 0))
  if (byEpoch !== 0) return byEpoch
  const hyphenA = a.lastIndexOf('-')
  const hyphenB = b.lastIndexOf('-')
  const endA = hyphenA > colonA ? hyphenA : a.length
  const endB = hyphenB > colonB ? hyphenB : b.length
  const byUpstream = comparePart(a, colonA + 1, endA, b, colonB + 1, endB)
  if (byUpstream !== 0) return byUpstream
  return comparePart(a, endA + 1, a.length, b, endB + 1, b.length)
}

/** Whether `text` is a version as Policy 5.6.12 says and `dpkg --validate-version` agrees. */
export function isVersion(text: string): boolean {
  const colon = text.indexOf(':')
  if (colon >= 0) {
    const epoch = text.slice(0, colon)
    if (!/^[0-9]+$/.test(epoch) || Number(epoch) > largestEpoch) return false
  }
  const hyphen = text.lastIndexOf('-')
  const end = hyphen > colon ? hyphen : text.length
  if (end < text.length && !revisionSyntax.test(text.slice(end + 1))) return false
  return upstreamSyntax.test(text.slice(colon + 1, end))
}

/** The version as file names carry it: without the epoch and its colon. */
export function withoutEpoch(version: string): string {
  return version.slice(version.indexOf(':') + 1)
}

function isDigit(code: number): boolean {
  return code >= zero && code <= nine
}

/** The weight of a character that is no digit; digits and the end of the part weigh nothing. */
function weight(text: string, at: number, end: number): number {
  if (at >= end) return 0
  const code = text.charCodeAt(at)
  if (isDigit(code)) return 0
  if (code === tilde) return -1
  const lower = code | 0x20
  return lower >= 0x61 && lower <= 0x7a && code < 0x80 ? code : code + 256
}

function comparePart(
  a: string,
  startA: number,
  endA: number,
  b: string,
  startB: number,
  endB: number,
): number {
  let atA = startA
  let atB = startB
  while (atA < endA || atB < endB) {
    while (
      (atA < endA && !isDigit(a.charCodeAt(atA))) ||
      (atB < endB && !isDigit(b.charCodeAt(atB)))
    ) {
      const difference = weight(a, atA, endA) - weight(b, atB, endB)
      if (difference !== 0) return difference
      atA += 1
      atB += 1
    }
    while (atA < endA && a.charCodeAt(atA) === zero) atA += 1
    while (atB < endB && b.charCodeAt(atB) === zero) atB += 1
    let firstDifference = 0
    while (atA < endA && atB < endB && isDigit(a.charCodeAt(atA)) && isDigit(b.charCodeAt(atB))) {
      if (firstDifference === 0) firstDifference = a.charCodeAt(atA) - b.charCodeAt(atB)
      atA += 1
      atB += 1
    }
    if (atA < endA && isDigit(a.charCodeAt(atA))) return 1
    if (atB < endB && isDigit(b.charCodeAt(atB))) return -1
    if (firstDifference !== 0) return firstDifference
  }
  return 0
}
