/**
 * Metrics of how upstream does, host by host: see archives/upstream-health.ts. Those of the store are in room.ts.
 */
import { answerSeconds, type HostHealth, upstreamOutcomes } from '../archives/upstream-health.ts'
import type { Samples } from './metrics.ts'
import type { ServerParts } from './parts.ts'

/** Adds them. */
export function addSeenMetrics({ metrics, upstream }: ServerParts): void {
  const ofHosts =
    (read: (one: HostHealth) => Samples): (() => Promise<Samples>) =>
    async () =>
      upstream.health.hosts().flatMap((one) => [...read(one)])
  metrics.addCounter({
    name: 'upstream_requests_total',
    help: 'Requests to hosts of archives, by what they came to',
    label: ['host', 'outcome'],
    read: ofHosts(({ host, requests }) =>
      upstreamOutcomes.map((outcome) => [[host, outcome], requests[outcome]] as const),
    ),
  })
  metrics.addCounter({
    name: 'upstream_bytes_total',
    help: 'Bytes that came from a host',
    label: 'host',
    read: ofHosts(({ host, bytes }) => [[host, bytes]]),
  })
  metrics.addCounter({
    name: 'mismatches_total',
    help: 'Files from a host whose bytes were not those that the signed index names',
    label: 'host',
    read: ofHosts(({ host, mismatches }) => [[host, mismatches]]),
  })
  metrics.addGauge({
    name: 'upstream_up',
    help: 'Whether the last request to a host got an answer, below 500',
    label: 'host',
    read: ofHosts(({ host, isUp }) => [[host, Number(isUp)]]),
  })
  metrics.addGauge({
    name: 'upstream_answered_timestamp_seconds',
    help: 'When a host last answered',
    label: 'host',
    read: ofHosts(({ host, answeredAt }) =>
      answeredAt === undefined ? [] : [[host, answeredAt / 1000]],
    ),
  })
  metrics.addGauge({
    name: 'upstream_left_alone',
    help: 'A server in such trouble that it is not asked for a while (archives/origin-circuit.ts)',
    label: 'origin',
    read: async () => upstream.troubles().map(({ origin }) => [origin, 1] as const),
  })
  addAnswerTimes(metrics, ofHosts)
}

/** As a histogram writes them. */
function addAnswerTimes(
  metrics: ServerParts['metrics'],
  ofHosts: (read: (one: HostHealth) => Samples) => () => Promise<Samples>,
): void {
  const count = (answers: readonly number[]): number => answers.reduce((sum, one) => sum + one, 0)
  metrics.addCounter({
    name: 'upstream_answer_seconds_bucket',
    help: 'Answers of a host by how long they took',
    label: ['host', 'le'],
    read: ofHosts(({ host, answers }) =>
      [...answerSeconds, '+Inf'].map(
        (end, at) => [[host, String(end)], count(answers.slice(0, at + 1))] as const,
      ),
    ),
  })
  metrics.addCounter({
    name: 'upstream_answer_seconds_sum',
    help: 'How long they took together',
    label: 'host',
    read: ofHosts(({ host, answersMs }) => [[host, answersMs / 1000]]),
  })
  metrics.addCounter({
    name: 'upstream_answer_seconds_count',
    help: 'Answers of a host',
    label: 'host',
    read: ofHosts(({ host, answers }) => [[host, count(answers)]]),
  })
}
