/**
 * Where a command writes: results to standard output, progress and errors to standard error.
 *
 * On a terminal one line of progress stands below what was printed and is drawn over; piped, there is none. With
 * `--json` only the result is printed, as one JSON document.
 *
 * A pipe takes what is written when its reader does: the end of the program waits for that (main.ts), and so does who
 * writes much (`piece`).
 */
import { cut } from './table.ts'

export interface OutputStream {
  readonly isTTY?: boolean | undefined
  readonly columns?: number | undefined
  /** False: what was given waits, and `drain` is said when it does not any more. */
  write(text: string): unknown
  once?(event: 'drain', listener: () => void): unknown
}

export interface Output {
  readonly isJson: boolean
  /** Columns of the terminal; undefined when piped. */
  readonly width: number | undefined
  /** Prints lines for people; nothing with `--json`. */
  lines(...lines: readonly string[]): void
  /** Prints the result: as JSON, or the lines that `render` makes of it. */
  result<T>(value: T, render: (value: T) => readonly string[]): void
  /** Prints a piece of a result that is too long to be held whole, at the pace of who reads it. */
  piece(text: string): Promise<void>
  /** Draws over the line of progress, at most ten times a second. */
  progress(text: string): void
  /** Takes the line of progress away. */
  clear(): void
  /** Prints to standard error, whatever the format. */
  error(...lines: readonly string[]): void
}

const REDRAW_MS = 100

/** Output to these two streams; `now` tells milliseconds. */
export function createOutput(
  streams: { readonly out: OutputStream; readonly err: OutputStream },
  isJson: boolean,
  now: () => number = () => performance.now(),
): Output {
  const { out, err } = streams
  const hasProgress = err.isTTY === true && !isJson
  let isDrawn = false
  let drawnAt = Number.NEGATIVE_INFINITY
  const clear = (): void => {
    if (isDrawn) err.write('\r\u001b[K')
    isDrawn = false
  }
  const print = (stream: OutputStream, lines: readonly string[]): void => {
    clear()
    if (lines.length > 0) stream.write(`${lines.join('\n')}\n`)
  }
  return {
    isJson,
    width: out.isTTY === true ? (out.columns ?? 80) : undefined,
    lines: (...lines) => {
      if (!isJson) print(out, lines)
    },
    result: (value, render) => {
      print(out, isJson ? [JSON.stringify(value, undefined, 2)] : render(value))
    },
    piece: async (text) => {
      clear()
      if (text === '' || out.write(text) !== false) return
      await new Promise<void>((resolve) => out.once?.('drain', resolve) ?? resolve())
    },
    progress: (text) => {
      if (!hasProgress || now() - drawnAt < REDRAW_MS) return
      drawnAt = now()
      err.write(`\r\u001b[K${cut(text, (err.columns ?? 80) - 1)}`)
      isDrawn = true
    },
    clear,
    error: (...lines) => print(err, lines),
  }
}
