/**
 * Conditions and ranges of requests, case by case (RFC 9110 §13 and §14, as far as apt and its like go).
 */
import type { IncomingHttpHeaders } from 'node:http'
import t from 'tap'
import { type Extent, extentOf, httpDate } from '../../src/server/conditions.ts'

const modified = 'Sat, 17 May 2025 08:54:08 GMT'
const earlier = 'Sat, 17 May 2025 08:54:07 GMT'
const later = 'Sat, 17 May 2025 08:54:09 GMT'
const whole: Extent = { status: 200, start: 0, end: 1000 }
const part = (start: number, end: number): Extent => ({ status: 206, start, end })

function extent(headers: IncomingHttpHeaders, file = {}, method = 'GET'): Extent {
  const validator = { size: 1000, lastModified: modified, isMutable: false, ...file }
  return extentOf({ method, headers }, validator)
}

t.test('writes the one form of date that apt reads', async (t) => {
  t.equal(httpDate(Date.UTC(2025, 4, 17, 8, 54, 8) / 1000), modified)
  t.equal(httpDate(0), 'Thu, 01 Jan 1970 00:00:00 GMT')
})

t.test('says 304 to the exact time and to no other', async (t) => {
  const since = (text: string): IncomingHttpHeaders => ({ 'if-modified-since': text })
  t.same(extent(since(modified)), { status: 304 })
  t.same(extent(since(modified), { isMutable: true }), { status: 304 })
  t.same(extent(since(modified), {}, 'HEAD'), { status: 304 })
  t.same(extent(since(earlier)), whole)
  t.same(extent(since(later)), whole, 'a clock that was turned back freezes nobody')
  t.same(extent(since('Saturday, 17-May-25 08:54:08 GMT')), whole)
  t.same(extent(since('')), whole)
})

t.test('gives the part that is asked for', async (t) => {
  const of = (range: string): Extent => extent({ range })
  t.same(of('bytes=0-'), part(0, 1000))
  t.same(of('bytes=0-0'), part(0, 1))
  t.same(of('bytes=999-'), part(999, 1000))
  t.same(of('bytes=100-199'), part(100, 200))
  t.same(of('bytes=100-999999'), part(100, 1000), 'an end behind the end is the end')
  t.same(of('bytes=-1'), part(999, 1000))
  t.same(of('bytes=-1000'), part(0, 1000))
  t.same(of('bytes=-5000'), part(0, 1000), 'more than all is all')
})

t.test('refuses a part that is not there', async (t) => {
  for (const range of ['bytes=1000-', 'bytes=1000-2000', 'bytes=-0', 'bytes=5-4']) {
    t.same(extent({ range }), { status: 416 }, range)
  }
  t.same(extent({ range: 'bytes=0-' }, { size: 0 }), { status: 416 }, 'nothing has no parts')
  t.same(extent({}, { size: 0 }), { status: 200, start: 0, end: 0 })
})

t.test('answers whole what it does not understand', async (t) => {
  const ranges = [
    'bytes=',
    'bytes=-',
    'bytes=a-b',
    'bytes=0-1,5-6',
    'bytes 0-1',
    'pages=1-2',
    'bytes=0x10-',
    'bytes=1e2-',
    `bytes=${'9'.repeat(30)}-`,
    'bytes=--5',
    '',
  ]
  for (const range of ranges) t.same(extent({ range }), whole, range)
})

t.test('goes on only with the very bytes that a client has', async (t) => {
  const range = 'bytes=100-'
  t.same(extent({ range, 'if-range': modified }), part(100, 1000))
  t.same(extent({ range, 'if-range': earlier }), whole)
  t.same(extent({ range, 'if-range': later }), whole)
  t.same(extent({ range, 'if-range': '"etag"' }), whole)
  t.same(extent({ range: 'bytes=1000-', 'if-range': earlier }), whole, 'rather than 416')
  t.same(extent({ 'if-range': modified }), whole)
})

t.test('gives no parts of what can change, and none to HEAD', async (t) => {
  const headers = { range: 'bytes=100-', 'if-range': modified }
  t.same(extent(headers, { isMutable: true }), whole)
  t.same(extent({ range: 'bytes=5000-' }, { isMutable: true }), whole)
  t.same(extent(headers, {}, 'HEAD'), whole)
})
