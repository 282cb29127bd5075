/**
 * What the API answers of the server's figures.
 */

/** Figures by name, grouped; groups may lie in groups. */
export interface FiguresAnswer {
  readonly [name: string]: number | FiguresAnswer
}

/** What clients were sent in some time, and what upstream sent for it. */
export interface TrafficAnswer {
  readonly hits: number
  readonly misses: number
  readonly passes: number
  readonly sentBytes: number
  readonly fetchedBytes: number
  readonly savedBytes: number
}

/** How a host of archives did since the server was started. */
export interface HostAnswer {
  readonly host: string
  /** Whether the last request got an answer. */
  readonly isUp: boolean
  readonly bytes: number
  /** Files that were not what the signed index names. */
  readonly mismatches: number
  /** Requests that got a file, or heard that there is none or nothing new. */
  readonly good: number
  readonly failed: number
  /** Until the head of an answer came, on the average. */
  readonly answerMs?: number
}

export interface StatsAnswer {
  readonly requests: number
  /** Since the server was started. */
  readonly files: FiguresAnswer
  readonly bytes: FiguresAnswer
  readonly traffic: {
    readonly today: TrafficAnswer
    readonly week: TrafficAnswer
    readonly ever: TrafficAnswer
  }
  /** '' is what belongs to no archive. */
  readonly archives: {
    readonly [archive: string]: {
      readonly today?: TrafficAnswer
      readonly week?: TrafficAnswer
      readonly ever?: TrafficAnswer
    }
  }
  readonly hosts: readonly HostAnswer[]
  readonly store: FiguresAnswer
  readonly room: FiguresAnswer
  readonly lastGc: FiguresAnswer
  readonly downloads: FiguresAnswer
}
