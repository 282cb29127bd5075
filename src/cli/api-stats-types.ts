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
  readonly store: FiguresAnswer
  readonly room: FiguresAnswer
  readonly lastGc: FiguresAnswer
  readonly downloads: FiguresAnswer
}
