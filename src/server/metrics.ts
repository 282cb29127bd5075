/**
 * What is counted of the server's work, as Prometheus reads it: `/metrics`. What a request adds to are plain numbers;
 * they become samples when somebody reads them.
 */
import { Counter, Gauge, Registry } from 'prom-client'
import { type FileOutcome, savedBytes, type Traffic } from './traffic.ts'

export type { FileOutcome }

export interface Metrics {
  /** Counts a file, and how many bytes of it are sent: none for a 304. */
  countFile(outcome: FileOutcome, sentBytes: number, archive?: string): void
  countRequest(status: number): void
  countRefresh(outcome: 'unchanged' | 'changed' | 'failed'): void
  /** Adds a gauge that is asked when metrics are read: a value for each value of its label, or of its labels together. */
  addGauge(gauge: Labeled): void
  /** The same for what only goes up; its name ends in `_total`. */
  addCounter(counter: Labeled): void
  /** Text in Prometheus' format. */
  render(): Promise<string>
  readonly contentType: string
  totals(): {
    files: Record<FileOutcome, number>
    bytes: Record<FileOutcome, number>
    requests: number
  }
}

export interface Labeled {
  /** Without `sluice_`. */
  readonly name: string
  readonly help: string
  readonly label: string | readonly string[]
  readonly read: () => Promise<Samples>
}

export type Samples = Iterable<readonly [string | readonly string[], number]>

/** Counters of their own registry; `gauges` are asked when metrics are read. */
export function createMetrics(
  gauges: Readonly<Record<string, () => number>>,
  traffic: Traffic,
): Metrics {
  const registry = new Registry()
  for (const [name, read] of Object.entries(gauges)) {
    new Gauge({
      name: `sluice_${name}`,
      help: name.replaceAll('_', ' '),
      registers: [registry],
      collect() {
        this.set(read())
      },
    })
  }
  const addCounter = (one: Labeled): void => addCounterTo(registry, one)
  const requests = new Map<number, number>()
  const refreshes = new Map<string, number>()
  addTraffic(addCounter, traffic)
  addGaugeTo(registry, {
    name: 'saved_bytes',
    help: 'Bytes sent that upstream did not have to send',
    label: [],
    read: async () => [[[], savedBytes(traffic.totals())]],
  })
  const simple = (name: string, help: string, label: string, read: () => Samples): void =>
    addCounter({ name, help, label, read: async () => read() })
  simple('requests_total', 'Requests by status', 'status', () =>
    [...requests].map(([status, count]) => [String(status), count] as const),
  )
  simple('refreshes_total', 'Suites refreshed', 'outcome', () => refreshes)
  return {
    countFile: traffic.count,
    countRequest: (status) => void requests.set(status, (requests.get(status) ?? 0) + 1),
    countRefresh: (outcome) => void refreshes.set(outcome, (refreshes.get(outcome) ?? 0) + 1),
    addGauge: (one) => addGaugeTo(registry, one),
    addCounter,
    render: together(() => registry.metrics()),
    contentType: registry.contentType,
    totals: () => {
      const { hits, misses, passes, hitBytes, missBytes, passBytes } = traffic.totals()
      return {
        files: { hit: hits, miss: misses, pass: passes },
        bytes: { hit: hitBytes, miss: missBytes, pass: passBytes },
        requests: [...requests.values()].reduce((sum, count) => sum + count, 0),
      }
    },
  }
}

function addTraffic(addCounter: Metrics['addCounter'], traffic: Traffic): void {
  addCounter({
    name: 'files_total',
    help: 'Files sent: from the store, fetched for it, or handed through',
    label: 'outcome',
    read: async () => {
      const { hits, misses, passes } = traffic.totals()
      return Object.entries({ hit: hits, miss: misses, pass: passes })
    },
  })
  addCounter({
    name: 'file_bytes_total',
    help: 'Bytes of files sent',
    label: 'outcome',
    read: async () => {
      const { hitBytes, missBytes, passBytes } = traffic.totals()
      return Object.entries({ hit: hitBytes, miss: missBytes, pass: passBytes })
    },
  })
  addCounter({
    name: 'archive_file_bytes_total',
    help: 'Bytes of files sent, by archive',
    label: ['archive', 'outcome'],
    read: async () =>
      [...traffic.lanes()].flatMap(([archive, { hitBytes, missBytes, passBytes }]) => {
        const samples = Object.entries({ hit: hitBytes, miss: missBytes, pass: passBytes })
        return samples.map(([outcome, bytes]) => [[archive, outcome], bytes] as const)
      }),
  })
}

function addGaugeTo(registry: Registry, { name, help, label, read }: Labeled): void {
  const labelNames = namesOf(label)
  new Gauge({
    name: `sluice_${name}`,
    help,
    labelNames,
    registers: [registry],
    async collect() {
      const samples = [...(await read())]
      this.reset()
      for (const [values, amount] of samples) this.set(labelsOf(labelNames, values), amount)
    },
  })
}

function addCounterTo(registry: Registry, { name, help, label, read }: Labeled): void {
  const labelNames = namesOf(label)
  new Counter({
    name: `sluice_${name}`,
    help,
    labelNames,
    registers: [registry],
    async collect() {
      const samples = [...(await read())]
      this.reset()
      for (const [values, amount] of samples) this.inc(labelsOf(labelNames, values), amount)
    },
  })
}

function namesOf(label: Labeled['label']): string[] {
  return [label].flat().filter((name) => name !== '')
}

function labelsOf(names: readonly string[], values: string | readonly string[]) {
  const named = [values].flat().map((value, at) => [names[at] ?? '', value] as const)
  return Object.fromEntries(named)
}

/** Anybody may ask, and some gauges are work: who asks while it goes on gets the same answer. */
function together<T>(work: () => Promise<T>): () => Promise<T> {
  let running: Promise<T> | undefined
  return () => {
    running ??= work().finally(() => {
      running = undefined
    })
    return running
  }
}
