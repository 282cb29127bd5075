/** Figures and times in words. */
import t from 'tap'
import {
  formatAgo,
  formatChange,
  formatCount,
  formatDuration,
  formatSize,
  formatSpan,
  longFingerprint,
  plural,
  printable,
  shortFingerprint,
  someOf,
} from '../../src/cli/words.ts'

const second = 1000
const minute = 60 * second
const hour = 60 * minute
const day = 24 * hour

t.test('sizes are decimal, with one digit after the point while they are small', async (t) => {
  const sizes = [0, 999, 1000, 1234, 99_940, 152_000, 999_400, 999_600, 6_700_000, 12.6e9]
  t.same(sizes.map(formatSize), [
    '0 B',
    '999 B',
    '1.0 kB',
    '1.2 kB',
    '99.9 kB',
    '152 kB',
    '999 kB',
    '1.0 MB',
    '6.7 MB',
    '12.6 GB',
  ])
})

t.test('counts have commas, and a noun in the right number', async (t) => {
  t.same([0, 999, 1000, 63_440, 1_234_567].map(formatCount), [
    '0',
    '999',
    '1,000',
    '63,440',
    '1,234,567',
  ])
  t.same([plural(1, 'package'), plural(0, 'package')], ['1 package', '0 packages'])
  t.equal(plural(2, 'binary', 'binaries'), '2 binaries')
})

t.test('durations are exact while they are short', async (t) => {
  const durations = [0, 4, 87, 200, 994, 4100, 21_000, 200_000]
  t.same(durations.map(formatDuration), [
    '0.01 s',
    '0.01 s',
    '0.09 s',
    '0.2 s',
    '0.99 s',
    '4.1 s',
    '21 s',
    '3 min',
  ])
  for (let ms = 0; ms < 200_000; ms += 37) t.match(formatDuration(ms), /^\d+(\.\d+)? (s|min)$/)
})

t.test('spans and ages have one unit', async (t) => {
  const spans = [0, 89 * second, 90 * second, 89 * minute, 90 * minute, 47 * hour, 13 * day]
  t.same(spans.map(formatSpan), ['0 s', '89 s', '2 min', '89 min', '2 h', '47 h', '13 d'])
  t.same([second, minute, 12 * minute, 6 * hour, 13 * day].map(formatAgo), [
    'just now',
    '60 seconds ago',
    '12 minutes ago',
    '6 hours ago',
    '13 days ago',
  ])
  t.equal(formatAgo(-hour), 'just now', 'a clock that is behind')
})

t.test('control characters and marks that turn text around are not printed', async (t) => {
  t.equal(printable('a\u001b[2Jb\nc\u009bd\u202ee'), 'a?[2Jb?c?d?e')
  t.equal(printable('Zoë Müller – ok…'), 'Zoë Müller – ok…')
})

t.test('fingerprints are in groups of four', async (t) => {
  t.equal(shortFingerprint('9f3c51d2aabbccdd'), '9F3C 51D2 …')
  t.equal(longFingerprint('9f3c51d2aabbccdd'), '9F3C 51D2 AABB CCDD')
})

t.test('a change says what was and what is', async (t) => {
  const change = (before: string[], after: string[]): string =>
    formatChange({ source: 'hello', old: before, new: after })
  t.equal(change(['1'], ['2']), 'hello 1 -> 2')
  t.equal(change([], ['2']), 'hello (new) 2')
  t.equal(change(['1', '1.1'], []), 'hello 1 1.1 (gone)')
  t.equal(change(['1'], ['1']), 'hello 1 (other files)')
})

t.test('long lists are told in part', async (t) => {
  t.equal(someOf(['a', 'b', 'c'], 3), 'a, b, c')
  t.equal(someOf(['a', 'b', 'c', 'd'], 2), 'a, b and 2 more')
})
