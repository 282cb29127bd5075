/**
 * URLs that gave wrong bytes for a file: for a minute they come last for it, also after its fallbacks.
 */
import type { Clock } from '../base/clock.ts'
import { createLru } from '../base/lru.ts'
import type { Wanted } from './download-job.ts'

const badMs = 60_000

export interface Liars {
  note(wanted: Wanted, url: string): void
  has(wanted: Wanted, url: string): boolean
  /** Each once, those that lied last. */
  inOrder(wanted: Wanted, urls: readonly string[]): string[]
}

/** Nobody has lied yet. */
export function createLiars(clock: Clock): Liars {
  /** `<digest> <url>` to the time until which that URL comes last. */
  const until = createLru<string, number>(10_000)
  const has = ({ sha256 }: Wanted, url: string): boolean =>
    (until.get(`${sha256} ${url}`) ?? 0) > clock.now()
  return {
    note: ({ sha256 }, url) => until.set(`${sha256} ${url}`, clock.now() + badMs),
    has,
    inOrder: (wanted, urls) => {
      const all = [...new Set(urls)]
      const bad = all.filter((url) => has(wanted, url))
      return [...all.filter((url) => !bad.includes(url)), ...bad]
    },
  }
}
