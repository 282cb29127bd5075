/** The log: what stands in a line, and what never does. */
import t from 'tap'
import { AppError } from '../../src/base/errors.ts'
import { createLog, type LogOptions } from '../../src/base/log.ts'

function logging(level: LogOptions['level'] = 'info') {
  const lines: string[] = []
  const log = createLog({ level, to: { write: (line) => lines.push(line) } })
  return { log, lines, last: () => JSON.parse(lines.at(-1) ?? '{}') }
}

t.test('a line has time, level, part, message and fields', async (t) => {
  const { log, last } = logging()
  log.child({ part: 'upstream' }).info({ suite: 'bookworm', sizeBytes: 7 }, 'index fetched')
  t.match(last(), {
    level: 'info',
    time: /^\d{4}-\d\d-\d\dT/,
    part: 'upstream',
    suite: 'bookworm',
    sizeBytes: 7,
    msg: 'index fetched',
  })
})

t.test('what is below the level is not written', async (t) => {
  const { log, lines } = logging('warn')
  log.info('not this')
  log.warn('this')
  t.equal(lines.length, 1)
})

t.test('tokens, passwords and Authorization do not get in, however deep', async (t) => {
  const { log, lines } = logging()
  const headers = { Authorization: 'Bearer s3cret-token', accept: '*/*' }
  log.info({ request: { headers, list: [{ token: 's3cret' }] }, apiToken: 's3cret' }, 'asked')
  log.info({ text: 'sent Authorization: Bearer s3cret.x~y/z= twice' }, 'asked')
  log.info({ url: 'https://user:s3cret@archive.example/debian' }, 'asked')
  t.notMatch(lines.join(''), 's3cret')
  t.match(lines[0], '"accept":"*/*"')
  t.match(lines[2], 'archive.example/debian', 'the rest of the URL stays')
})

t.test('an error is told with code and cause, without credentials', async (t) => {
  const { log, lines, last } = logging()
  const cause = new Error('GET http://user:s3cret@archive.example/x failed')
  const details = { url: 'http://user:s3cret@archive.example/' }
  const err = new AppError('ERR_UPSTREAM_STATUS', { message: 'answered 500', cause, details })
  log.error({ err }, 'refresh failed')
  t.match(last().err, { code: 'ERR_UPSTREAM_STATUS', message: 'answered 500' })
  t.match(last().err.cause.message, /^GET http:.*archive\.example\/x failed$/)
  t.notMatch(lines.join(''), 's3cret')
})

t.test('a field that is deep, large or strange does no harm', async (t) => {
  const { log, lines, last } = logging()
  const ring: Record<string, unknown> = { name: 'ring' }
  ring.self = ring
  log.info({ ring, big: 7n, map: new Map(), nothing: null, missing: undefined }, 'odd')
  t.equal(lines.length, 1)
  t.match(last(), { big: '7', msg: 'odd', ring: { name: 'ring' } })
})
