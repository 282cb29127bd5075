/**
 * Notices a clock that leapt ahead: by what it says against what passed by the machine's monotonic one.
 *
 * What is signed with a Date of the future cannot be taken back: machines refuse it, and once the clock is right again nothing
 * earlier may be published. So a leap of more than a day is not believed before it has lasted for ten minutes; it may be that the
 * machine slept, or that its clock was wrong before. One that goes back is believed at once.
 */
const LEAP_MS = 24 * 3600_000
const BELIEVED_AFTER_MS = 10 * 60_000

/** By how many milliseconds the clock leapt ahead a moment ago; 0 where it is believed. To be asked now and then. */
export type LeapWatch = () => number

/** Watches `now` (milliseconds since 1970) by `steady`, which never jumps. */
export function createLeapWatch(now: () => number, steady: () => number): LeapWatch {
  // What the one was ahead of the other when it was believed, and the leap that is not yet.
  let believed = now() - steady()
  let doubtful: { readonly ahead: number; readonly since: number } | undefined
  return () => {
    const ahead = now() - steady()
    const leapt = ahead - believed
    if (doubtful !== undefined && Math.abs(ahead - doubtful.ahead) > LEAP_MS) doubtful = undefined
    if (leapt > LEAP_MS) doubtful ??= { ahead, since: steady() }
    const isBelieved =
      leapt <= LEAP_MS || steady() - (doubtful?.since ?? steady()) >= BELIEVED_AFTER_MS
    if (!isBelieved) return leapt
    believed = ahead
    doubtful = undefined
    return 0
  }
}
