/**
 * A server by a fast clock (fast-clock.ts), as a process of its own: `node fast-server.ts '{"dataDir":…,"pace":…}'`. It
 * prints one line of JSON with its URL when it serves.
 */
import { parseConfig } from '../../src/base/config.ts'
import { startServer } from '../../src/server/start.ts'
import { fastClock, type Pace } from './fast-clock.ts'

export interface FastServerInput {
  readonly dataDir: string
  readonly listen: string
  readonly pace: Pace
  readonly flags?: Readonly<Record<string, string>>
}

const input: FastServerInput = JSON.parse(process.argv[2] ?? '{}')
const config = parseConfig({
  flags: { data: input.dataDir, listen: input.listen, import: false, ...input.flags },
  env: {},
})
const server = await startServer(config, { clock: fastClock(input.pace) })
process.stdout.write(`${JSON.stringify({ url: server.url })}\n`)
process.once('SIGTERM', () => void server.close())
