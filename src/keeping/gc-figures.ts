/**
 * What a collection counts.
 */

/** What goes: rows of the history, chunks, blobs and origins. */
export interface GcFigures {
  readonly generations: number
  /** Signed Releases that no generation names. */
  readonly releases: number
  readonly states: number
  readonly chunks: number
  /** Small blobs, states among them. */
  readonly rows: number
  readonly rowBytes: number
  /** Blobs that are files. */
  readonly files: number
  readonly fileBytes: number
  /** Where files can be had that nothing names. */
  readonly origins: number
}

/** What is in the store, or will go later. */
export type StoreFigures = Pick<
  GcFigures,
  'chunks' | 'rows' | 'rowBytes' | 'files' | 'fileBytes'
> & { readonly generations: number }

const names = [
  'generations',
  'releases',
  'states',
  'chunks',
  'rows',
  'rowBytes',
  'files',
  'fileBytes',
  'origins',
] as const satisfies readonly (keyof GcFigures)[]

export const noFigures: GcFigures = {
  generations: 0,
  releases: 0,
  states: 0,
  chunks: 0,
  rows: 0,
  rowBytes: 0,
  files: 0,
  fileBytes: 0,
  origins: 0,
}

/** Sums, figure by figure; `times` -1 gives differences. */
export function addFigures(one: GcFigures, more: Partial<GcFigures>, times = 1): GcFigures {
  const sum = { ...one }
  for (const name of names) sum[name] += times * (more[name] ?? 0)
  return sum
}

/** Whether there is anything among these. */
export function isNothing(figures: GcFigures): boolean {
  return names.every((name) => figures[name] === 0)
}
