/**
 * The errors that Sluice shows to people, and what each means to a program.
 *
 * Every failure that a caller can tell apart has a code of its own in the table below, with the HTTP status that a
 * route answers and the exit code that the command line ends with (0 ok, 1 failed, 2 usage, 3 partly, 4 not found,
 * 5 refused by a policy, 130 interrupted). Texts are for people: lower case, no full stop; nothing matches on them.
 */
const table = {
  ERR_INTERNAL: { status: 500, exit: 1 },
  ERR_USAGE: { status: 400, exit: 2 },
  ERR_CONFIG: { status: 500, exit: 2 },
  ERR_NOT_FOUND: { status: 404, exit: 4 },
  /** It was here, and was dropped when its time was over. */
  ERR_GONE: { status: 410, exit: 4 },
  ERR_CONFLICT: { status: 409, exit: 1 },
  ERR_REFUSED: { status: 403, exit: 5 },
  /** A promotion that would make packages uninstallable. */
  ERR_GATE: { status: 403, exit: 5 },
  ERR_UNAUTHORIZED: { status: 401, exit: 1 },
  ERR_INTERRUPTED: { status: 503, exit: 130 },
  ERR_PARTLY: { status: 207, exit: 3 },
  ERR_NO_SERVER: { status: 503, exit: 1 },
  ERR_PORT_TAKEN: { status: 503, exit: 1 },
  ERR_DATA_LOCKED: { status: 503, exit: 1 },
  /** A file of Debian's formats that breaks its format. */
  ERR_FORMAT: { status: 502, exit: 1 },
  /** A package, `.changes` or `.dsc` that was handed in and is not as it must be. */
  ERR_PACKAGE: { status: 422, exit: 1 },
  /** Something is larger than the limit for its kind. */
  ERR_TOO_LARGE: { status: 413, exit: 1 },
  ERR_BLOB_MISSING: { status: 404, exit: 4 },
  ERR_STORE: { status: 500, exit: 1 },
  ERR_DISK_FULL: { status: 507, exit: 1 },
  ERR_DIGEST_MISMATCH: { status: 502, exit: 1 },
  ERR_SIZE_MISMATCH: { status: 502, exit: 1 },
  ERR_UPSTREAM_UNREACHABLE: { status: 502, exit: 1 },
  ERR_UPSTREAM_TIMEOUT: { status: 504, exit: 1 },
  ERR_UPSTREAM_STATUS: { status: 502, exit: 1 },
  ERR_UPSTREAM_REDIRECT: { status: 502, exit: 1 },
  /** An answer in a Content-Encoding that nobody asked for. */
  ERR_UPSTREAM_ENCODING: { status: 502, exit: 1 },
  /** A web page where a file of an archive should be. */
  ERR_UPSTREAM_PAGE: { status: 502, exit: 1 },
  ERR_UPSTREAM_REFUSED: { status: 403, exit: 5 },
  /** The server was told to ask nobody. */
  ERR_OFFLINE: { status: 503, exit: 1 },
  ERR_SIGNATURE_MISSING: { status: 502, exit: 1 },
  ERR_SIGNATURE_BAD: { status: 502, exit: 1 },
  ERR_KEY_UNKNOWN: { status: 502, exit: 1 },
  ERR_KEY_EXPIRED: { status: 502, exit: 1 },
  ERR_KEY_REVOKED: { status: 502, exit: 1 },
  ERR_KEY_WEAK: { status: 502, exit: 1 },
  ERR_KEYRING: { status: 400, exit: 1 },
  /** A passphrase that opens nothing. */
  ERR_PASSPHRASE: { status: 403, exit: 1 },
  /** What signs our Releases did not: the signing process, or the command of `sign-command`. */
  ERR_SIGNING: { status: 500, exit: 1 },
  /** A program of this machine that could not be run to its end. */
  ERR_PROGRAM: { status: 500, exit: 1 },
  /** A mail server or webhook that did not take a digest now, and one that will not. */
  ERR_DELIVERY: { status: 502, exit: 1 },
  ERR_DELIVERY_REFUSED: { status: 502, exit: 1 },
  ERR_RELEASE_EXPIRED: { status: 502, exit: 1 },
  ERR_RELEASE_REPLAYED: { status: 502, exit: 1 },
  ERR_RELEASE_FUTURE: { status: 502, exit: 1 },
  ERR_RELEASE_WRONG_SUITE: { status: 502, exit: 1 },
} as const satisfies Record<string, { status: number; exit: number }>

export type ErrorCode = keyof typeof table

export interface ErrorParts {
  /** What went wrong, with the name of the thing: lower case, no full stop. */
  readonly message: string
  /** The next step: a command, or what to look at. */
  readonly hint?: string | undefined
  readonly cause?: unknown
  readonly details?: Readonly<Record<string, unknown>> | undefined
}

/** The one error type of Sluice; foreign errors are translated into it at the edge where they arise. */
export class AppError extends Error {
  readonly code: ErrorCode
  readonly hint: string | undefined
  readonly details: Readonly<Record<string, unknown>> | undefined

  constructor(code: ErrorCode, parts: ErrorParts) {
    super(parts.message, parts.cause === undefined ? undefined : { cause: parts.cause })
    this.name = 'AppError'
    this.code = code
    this.hint = parts.hint
    this.details = parts.details
  }
}

/** Whether `error` is an `AppError`, of the given code if one is named. */
export function isAppError(error: unknown, code?: ErrorCode): error is AppError {
  return error instanceof AppError && (code === undefined || error.code === code)
}

/** The HTTP status that a route answers for an error of this code. */
export function httpStatus(code: ErrorCode): number {
  return table[code].status
}

/** The exit code that the command line ends with for an error of this code. */
export function exitCode(code: ErrorCode): number {
  return table[code].exit
}

/** Whether `text` is a code of the table: for errors that come back over HTTP as JSON. */
export function isErrorCode(text: string): text is ErrorCode {
  return Object.hasOwn(table, text)
}

/** What the system and SQLite say when there is no room for a write. */
const fullCodes: readonly (string | undefined)[] = ['ENOSPC', 'EDQUOT', 'SQLITE_FULL']

/**
 * Any thrown value as an `AppError`: its own, an abort as `ERR_INTERRUPTED`, a full disk as `ERR_DISK_FULL`, all else as
 * `ERR_INTERNAL`.
 */
export function toAppError(error: unknown): AppError {
  if (error instanceof AppError) return error
  if (error instanceof Error && error.name === 'AbortError') {
    return new AppError('ERR_INTERRUPTED', { message: 'interrupted', cause: error })
  }
  if (fullCodes.includes(systemCode(error))) {
    return new AppError('ERR_DISK_FULL', {
      message: 'no room on the disk of the data directory',
      hint: 'make room, or move the data directory',
      cause: error,
    })
  }
  const message = error instanceof Error ? error.message : String(error)
  return new AppError('ERR_INTERNAL', { message, cause: error })
}

/** The code of a Node system error (`ENOENT`, `EADDRINUSE`), if it is one. */
export function systemCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined
  return typeof error.code === 'string' ? error.code : undefined
}
