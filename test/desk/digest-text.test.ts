/**
 * A digest in words: subjects, and lists that are longer than anybody reads.
 */
import t from 'tap'
import type { DigestContent } from '../../src/desk/digest-content.ts'
import { renderHtml } from '../../src/desk/digest-html.ts'
import { renderText, subjectOf } from '../../src/desk/digest-text.ts'

const at = Date.UTC(2026, 0, 6, 6)
const empty: DigestContent = {
  name: 'morning',
  from: { channel: 'testing', serial: 2 },
  to: { channel: 'approved', serial: 1 },
  since: at - 24 * 3600_000,
  until: at,
  timeZone: 'Europe/Berlin',
  server: 'http://updates.example',
  waits: { sources: 0, security: 0, held: 0, declined: 0, entries: [] },
  went: { generations: 0, sources: 0, entries: [] },
  attention: [],
}

/** As many changes of sources. */
function changes(count: number) {
  return Array.from({ length: count }, (_, index) => ({
    archive: 'nut',
    suite: 'stable',
    source: `source-${index + 1}`,
    old: ['1'],
    new: ['2'],
  }))
}

function waiting(count: number, security: number): DigestContent['waits'] {
  const entries = changes(Math.min(count, 500)).map((one, index) => ({
    ...one,
    since: at - 3 * 24 * 3600_000,
    isSecurity: index < security,
    isHeld: false,
    isDeclined: false,
    cves: [],
  }))
  return { sources: count, security, held: 0, declined: 0, entries }
}

t.test('subjects say what there is, and how much', async (t) => {
  const one = { kind: 'key', message: 'it ends', hint: 'look' } as const
  const went = { generations: 1, sources: 2, entries: [] }
  t.equal(subjectOf(empty), 'Sluice: nothing waits for approved')
  t.equal(subjectOf({ ...empty, went }), 'Sluice: nothing waits for approved, 2 went')
  t.equal(
    subjectOf({ ...empty, waits: waiting(1, 0), went, attention: [one] }),
    'Sluice: 1 waits for approved, 1 problem',
  )
  t.equal(
    subjectOf({ ...empty, waits: waiting(1200, 3) }),
    'Sluice: 1,200 wait for approved, 3 for security',
  )
})

t.test('of long lists the first are told, and how many more there are', async (t) => {
  const generation = { madeAt: at, kind: 'promote', who: 'policy night' } as const
  const entries = Array.from({ length: 30 }, (_, index) => ({
    ...generation,
    ...{ serial: 40 - index, changed: 200, changes: changes(100) },
  }))
  const content: DigestContent = {
    ...empty,
    waits: waiting(1200, 70),
    went: { generations: 45, sources: 9000, entries },
  }
  const text = renderText(content)
  const blocks = text.split('\n\n')
  t.match(blocks, [
    /^1,200 sources wait from testing for approved, 70 of them for security\.$/,
    /^Waits for approved, for security\n[\s\S]+ {2}source-60 1 -> 2 \(stable, 3 d\)\n {2}and 10 more\n/,
    /^Waits for approved\n[\s\S]+\n {2}and 1,070 more\n/,
    /^Went to approved since 2026-01-05 07:00\n[\s\S]+\n {6}and 185 more\n[\s\S]+\n {2}and 25 more\n/,
    /^-- \nSluice at http:\/\/updates\.example, digest morning, 2026-01-06 07:00\n$/,
  ])
  t.ok(text.split('\n').length < 500)
  t.match(renderHtml(content), /<li>and 1,070 more<\/li>/)
})
