/**
 * What is counted of the server's work: for `/metrics` (Prometheus) and `sluice stats`.
 */
import { Counter, Gauge, Registry } from 'prom-client'

export type FileOutcome = 'hit' | 'miss' | 'pass'

export interface Metrics {
  countFile(outcome: FileOutcome, sizeBytes: number): void
  countRequest(status: number): void
  countRefresh(outcome: 'unchanged' | 'changed' | 'failed'): void
  /** Adds a gauge that is asked when metrics are read: a value for each value of its label, or of its labels together. */
  addGauge(gauge: LabeledGauge): void
  /** Text in Prometheus' format. */
  render(): Promise<string>
  readonly contentType: string
  totals(): {
    files: Record<FileOutcome, number>
    bytes: Record<FileOutcome, number>
    requests: number
  }
}

export interface LabeledGauge {
  /** Without `sluice_`. */
  readonly name: string
  readonly help: string
  readonly label: string | readonly string[]
  readonly read: () => Promise<Iterable<readonly [string | readonly string[], number]>>
}

/** Counters of their own registry; `gauges` are asked when metrics are read. */
export function createMetrics(gauges: Readonly<Record<string, () => number>>): Metrics {
  const registry = new Registry()
  const registers = [registry]
  const files = new Counter({
    name: 'sluice_files_total',
    help: 'Files sent',
    labelNames: ['outcome'],
    registers,
  })
  const bytes = new Counter({
    name: 'sluice_file_bytes_total',
    help: 'Sizes of the files sent',
    labelNames: ['outcome'],
    registers,
  })
  const requests = new Counter({
    name: 'sluice_requests_total',
    help: 'Requests by status',
    labelNames: ['status'],
    registers,
  })
  const refreshes = new Counter({
    name: 'sluice_refreshes_total',
    help: 'Suites refreshed',
    labelNames: ['outcome'],
    registers,
  })
  for (const [name, read] of Object.entries(gauges)) {
    new Gauge({
      name: `sluice_${name}`,
      help: name.replaceAll('_', ' '),
      registers,
      collect() {
        this.set(read())
      },
    })
  }
  const totals = {
    files: { hit: 0, miss: 0, pass: 0 },
    bytes: { hit: 0, miss: 0, pass: 0 },
    requests: 0,
  }
  return {
    countFile: (outcome, sizeBytes) => {
      files.inc({ outcome })
      bytes.inc({ outcome }, sizeBytes)
      totals.files[outcome] += 1
      totals.bytes[outcome] += sizeBytes
    },
    countRequest: (status) => {
      requests.inc({ status: String(status) })
      totals.requests += 1
    },
    countRefresh: (outcome) => refreshes.inc({ outcome }),
    addGauge: ({ name, help, label, read }) => {
      const labelNames = [label].flat()
      new Gauge({
        name: `sluice_${name}`,
        help,
        labelNames,
        registers,
        async collect() {
          const samples = [...(await read())]
          this.reset()
          for (const [values, amount] of samples) {
            const named = [values].flat().map((value, at) => [labelNames[at] ?? '', value] as const)
            this.set(Object.fromEntries(named), amount)
          }
        },
      })
    },
    render: together(() => registry.metrics()),
    contentType: registry.contentType,
    totals: () => structuredClone(totals),
  }
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
