/**
 * What administrators and schedules do under load: three lanes, each as fast as it can.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Load } from './load.ts'

const lanes = [['refresh'], ['promote', 'promote one', 'rollback'], ['gc', 'move']] as const
type Change = (typeof lanes)[number][number]

/** All names of changes. */
export const changes: readonly Change[] = lanes.flat()

/** Changes things until the signal. What an answer complains of is a failure, unless the server is down. */
export async function keepChanging(load: Load, signal: AbortSignal): Promise<void> {
  await Promise.all(lanes.map((names) => runLane(load, names, signal)))
}

async function runLane(load: Load, names: readonly Change[], signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const name = names[Math.floor(load.random() * names.length)] ?? 'gc'
    const { isDown, deaths } = load
    const complaint = await complaintOf(change(load, name))
    if (complaint === undefined) load.count(name)
    else if (!isDown && deaths === load.deaths) load.failures.push(`${name}: ${complaint}`)
    else await sleep(50)
  }
}

interface Answer {
  readonly error?: { readonly code: string; readonly message: string }
  readonly outcomes?: readonly { readonly problem?: { readonly message: string } }[]
}

async function complaintOf(asked: Promise<Answer>): Promise<string | undefined> {
  try {
    const { error, outcomes = [] } = await asked
    if (error !== undefined) return `${error.code} ${error.message}`
    return outcomes.find((one) => one.problem !== undefined)?.problem?.message
  } catch (error) {
    return String(error)
  }
}

async function change({ api, upstream, random }: Load, name: Change): Promise<Answer> {
  const way = { from: 'testing', to: 'approved' }
  switch (name) {
    case 'refresh':
      await upstream.publish()
      return api('POST', '/archives/refresh')
    case 'promote':
      return api('POST', '/promotions', { ...way, all: true })
    case 'promote one':
      return api('POST', '/promotions', { ...way, sources: [{ name: upstream.anySource() }] })
    case 'rollback': {
      const history: { serial: number }[] = await api('GET', '/channels/approved/history?limit=5')
      const to = history[Math.floor(random() * history.length)]?.serial ?? 1
      return api('POST', '/channels/approved/rollback', { to })
    }
    case 'gc':
      return api('POST', '/gc', { force: true })
    case 'move': {
      const channel = random() < 0.5 ? 'testing' : 'approved'
      return api('PATCH', '/classes/web', { channel })
    }
  }
}
