/**
 * What is left of a time under policies: histories, the audit and what differs, compared with what runs told of themselves.
 */
import type { Test } from 'tap'
import type { Month } from './policy-month.ts'

interface Promoted {
  readonly serial: number
  readonly who: string
  readonly why?: string
  readonly kind: string
  readonly changes: readonly { suite: string; source: string; new: readonly string[] }[]
}

/** Compares them at the end. */
export async function checkHistory(t: Test, month: Month): Promise<void> {
  const { world, went, policies, books } = month
  t.equal(new Set(went).size, went.length, 'nothing went twice')
  const audit: { who: string; what: string; object: string; why?: string }[] = await world.api(
    'GET',
    '/audit?limit=10000&what=promote',
  )
  for (const policy of policies) {
    const { name, from, to } = policy
    const all: Promoted[] = await world.api('GET', `/channels/${to}/history?limit=500`)
    const own = all.filter(({ kind, who }) => kind === 'promote' && who !== 'admin')
    const changed = own.flatMap(({ changes }) =>
      changes.map((one) => `${name} ${one.suite} ${one.source} ${one.new}`),
    )
    const told = went.filter((one) => one.startsWith(`${name} `))
    t.same(changed.sort(), told.sort(), `the history of ${to} has just what runs of ${name} told`)
    t.ok(changed.length >= 10, `${changed.length} promoted by ${name}`)
    const rows = audit.filter(({ who, object }) => object.includes(to) && who !== 'admin')
    t.equal(rows.length, own.length, 'each promotion is in the audit')
    for (const { who, why = '' } of [...own, ...rows]) {
      const isExplained = policy.rules.some(({ text }) => why.startsWith(`${text}: `))
      if (who !== `policy ${name}` || !isExplained) t.fail(`${who}: ${why}`)
    }
    const diff = await world.api('GET', `/diff?from=${to}&to=${from}`)
    const differing = diff.changes.map((one: Promoted['changes'][0]) => {
      return `${one.suite} ${one.source}`
    })
    const [left, right] = [books.get(from), books.get(to)]
    const apart = [...(left ?? [])].filter(
      ([key, { version }]) => right?.get(key)?.version !== version,
    )
    t.same(differing.sort(), apart.map(([key]) => key).sort(), `${to} is where it should be`)
  }
}
