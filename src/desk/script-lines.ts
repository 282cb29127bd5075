/**
 * Lines of maintainer scripts that an administrator wants to see when they are new: those that give rights, make accounts,
 * reach out to the network, change where packages come from, or hide what they do.
 *
 * It is a list of words to look for, no judgment: a script that means harm can avoid them all.
 */

/** What a line does, as far as its words tell. */
export type LineKind = 'rights' | 'accounts' | 'network' | 'apt' | 'listener' | 'hidden'

export interface ScriptLine {
  readonly kind: LineKind
  /** Without blanks around it; cut after 200 characters. */
  readonly line: string
}

const SHOWN_CHARS = 200
const READ_CHARS = 2000

const patterns: readonly (readonly [kind: LineKind, words: RegExp])[] = [
  ['rights', /\bsetcap\b/],
  ['rights', /\bchmod\s+(?:-\S+\s+)*(?:[ugoa]*[+=][rwxX]*s|0?[2-7][0-7]{3}\b)/],
  ['rights', /\bdpkg-statoverride\b.*--(?:add|update)\b/],
  ['rights', /\bvisudo\b|\bsudoers\b/],
  ['accounts', /\b(?:adduser|useradd|addgroup|groupadd|usermod|gpasswd|chpasswd)\b/],
  ['listener', /\bupdate-inetd\b.*--(?:add|enable)\b/],
  ['apt', /\bapt-key\b|\/etc\/apt\/|\/usr\/share\/keyrings\//],
  ['network', /(?:^|[\s;&|(`])(?:curl|wget|nc|ncat|telnet|ssh|scp|ftp|rsync)\s|\/dev\/tcp\//],
  ['hidden', /\bbase64\s+(?:-d|-D|--decode)\b|\bopenssl\s+enc\b|\bxxd\s+-r\b/],
]

/** The lines of `text` of these kinds that `before` has not, each once. */
export function newScriptLines(before: string, text: string): ScriptLine[] {
  const known = new Set(before.split('\n').map((line) => line.trim()))
  const lines = new Set(text.split('\n').map((line) => line.trim()))
  return [...lines].flatMap((line) => {
    if (known.has(line) || line.startsWith('#')) return []
    const read = line.slice(0, READ_CHARS)
    const kind = patterns.find(([, words]) => words.test(read))?.[0]
    return kind === undefined ? [] : [{ kind, line: line.slice(0, SHOWN_CHARS) }]
  })
}
