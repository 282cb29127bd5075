/**
 * A server whose clock another process steers: `node steered-server.ts '{"dataDir":…,"ahead":…}'`, started with a channel for
 * messages. It says its URL when it serves; `{"ahead": ms}` sets how far its clock is from the machine's, and is answered.
 */
import { parseConfig } from '../../src/base/config.ts'
import { startServer } from '../../src/server/start.ts'
import { createTestClock } from './test-clock.ts'

export interface SteeredInput {
  readonly dataDir: string
  readonly ahead: number
  readonly flags: Readonly<Record<string, string>>
}

const input: SteeredInput = JSON.parse(process.argv[2] ?? '{}')
const clock = createTestClock(-input.ahead)
const config = parseConfig({
  flags: { data: input.dataDir, listen: '127.0.0.1:0', import: false, ...input.flags },
  env: {},
})
const server = await startServer(config, { clock })
let ahead = input.ahead
process.on('message', (message: { readonly ahead: number }) => {
  clock.advance(message.ahead - ahead)
  ahead = message.ahead
  process.send?.({ ahead })
})
process.on('disconnect', () => process.exit())
process.once('SIGTERM', () => void server.close().then(() => process.disconnect()))
process.send?.({ url: server.url })
