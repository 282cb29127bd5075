/**
 * When a schedule is due: five fields of cron (minute, hour, day of the month, month, day of the week) in a time zone, read
 * by croner. What falls into an hour that a time zone skips is due after it; what falls into one that it has twice is due
 * once.
 */
import { Cron } from 'croner'
import { AppError } from '../base/errors.ts'

export interface Timetable {
  /** `0 6 * * *`. */
  readonly schedule: string
  /** `UTC`, `Europe/Berlin`. */
  readonly timeZone: string
}

/** Throws `ERR_USAGE` if there is no such time zone. */
export function assertTimeZone(timeZone: string): void {
  try {
    new Intl.DateTimeFormat('en', { timeZone })
  } catch (error) {
    throw new AppError('ERR_USAGE', {
      message: `there is no time zone ${JSON.stringify(timeZone)}`,
      hint: 'such as UTC, or Europe/Berlin',
      cause: error,
    })
  }
}

/** Throws `ERR_USAGE` if it says no times. */
export function assertTimetable({ schedule, timeZone }: Timetable): void {
  assertTimeZone(timeZone)
  const hint = 'five fields of cron: minute, hour, day, month, day of the week; 0 6 * * 1-5'
  let next: number | undefined
  try {
    next = nextTime({ schedule, timeZone }, 0)
  } catch (error) {
    const why = error instanceof Error ? `: ${error.message}` : ''
    const message = `${JSON.stringify(schedule)} is no schedule${why.replace(/\.$/, '')}`
    throw new AppError('ERR_USAGE', { message, hint, cause: error })
  }
  if (next === undefined) {
    const message = `the schedule ${JSON.stringify(schedule)} never comes`
    throw new AppError('ERR_USAGE', { message, hint })
  }
}

/** The first time after `after` (epoch milliseconds, as the answer); undefined if there is none. */
export function nextTime({ schedule, timeZone }: Timetable, after: number): number | undefined {
  const cron = new Cron(schedule, { timezone: timeZone, mode: '5-part', paused: true })
  return cron.nextRun(new Date(after))?.getTime()
}

/** The last time not after `at`, likewise. */
export function lastTime({ schedule, timeZone }: Timetable, at: number): number | undefined {
  const cron = new Cron(schedule, { timezone: timeZone, mode: '5-part', paused: true })
  // A time in the very second of the reference counts, if it is before that.
  return cron.previousRuns(1, new Date(at + 1))[0]?.getTime()
}
