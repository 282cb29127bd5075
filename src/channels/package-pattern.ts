/**
 * What package names are searched by: a name, or a pattern in which `*` stands for any run of characters.
 */
import { AppError } from '../base/errors.ts'

export interface PackagePattern {
  /** As it was given. */
  readonly text: string
  /** With what a name must begin; the whole name if there is no `*`. */
  readonly prefix: string
  matches(name: string): boolean
  /** Whether a name from `first` to `last`, in the order of an index, can match. */
  mayLieIn(first: string, last: string): boolean
}

/** Reads a pattern; `ERR_USAGE` for what no package can be called. */
export function parsePattern(text: string): PackagePattern {
  if (!/^[A-Za-z0-9*][A-Za-z0-9+._*-]*$/.test(text) || text.length > 200) {
    throw new AppError('ERR_USAGE', {
      message: `${JSON.stringify(text)} is no name of a package, and no pattern of one`,
      hint: 'a * stands for any characters: libssl*',
    })
  }
  const [prefix = '', ...rest] = text.split('*')
  if (rest.length === 0) {
    const mayLieIn = (first: string, last: string): boolean => first <= text && text <= last
    return { text, prefix, matches: (name) => name === text, mayLieIn }
  }
  const escaped = text.replaceAll(/[.+]/g, '\\$&').replaceAll(/\*+/g, '.*')
  const whole = new RegExp(`^${escaped}$`)
  return {
    text,
    prefix,
    matches: (name) => whole.test(name),
    // `~` comes after all that names are made of.
    mayLieIn: (first, last) => first <= `${prefix}~` && prefix <= last,
  }
}
