/**
 * `node bench/later.ts DATA HOST:PORT DAYS`: a server on this data directory whose clock is so many days ahead, so that it can
 * be measured how it collects what is too old to be kept. Else as `bin/sluice serve --no-import`.
 */
import { parseConfig } from '../src/base/config.ts'
import { startServer } from '../src/server/start.ts'

const [data = '', listen = '', days = '0'] = process.argv.slice(2)
const aheadMs = Number(days) * 24 * 3600 * 1000
const now = (): number => Date.now() + aheadMs
const config = parseConfig({ flags: { data, listen, import: false }, env: process.env })
const server = await startServer(config, {
  clock: {
    now,
    until: async (at, { signal } = {}) => {
      const { setTimeout } = await import('node:timers/promises')
      while (at > now()) await setTimeout(Math.min(at - now(), 60_000), undefined, { signal })
    },
  },
})
process.once('SIGTERM', () => void server.close())
