/** Commands whose server is odd, goes away, or is not waited for. */
import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import t, { type Test } from 'tap'
import { sluiceProgram, startProgram } from '../support/program.ts'
import { run } from '../support/run.ts'
import { makeWorld } from '../support/world.ts'

/** Runs `sluice` against a server that answers so. */
async function against(t: Test, answer: RequestListener, args: readonly string[]) {
  const server = createServer(answer)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const address = server.address()
  const port = typeof address === 'object' ? address?.port : ''
  const env = { SLUICE_URL: `http://127.0.0.1:${port}`, SLUICE_TOKEN: 'not-a-secret' }
  return run(sluiceProgram, args, { env })
}

const refresh = ['archive', 'refresh']

t.test('a server that dies within a task is told, and what to do', async (t) => {
  const event = { event: { kind: 'suite', archive: 'a', suite: 's', signers: [] } }
  const { code, stderr } = await against(
    t,
    (_request, response) => {
      response.writeHead(200, { 'Content-Type': 'application/x-ndjson' })
      response.write(`${JSON.stringify(event)}\n`, () => response.socket?.destroy())
    },
    refresh,
  )
  t.equal(code, 1)
  t.match(stderr, /^sluice: error: the server went away before it was done\nsluice: hint: /)
})

t.test('so is one that ends its answer before the result', async (t) => {
  const { code, stderr } = await against(t, (_request, response) => response.end('\n'), refresh)
  t.equal(code, 1)
  t.match(stderr, /^sluice: error: the server went away before it was done/)
})

t.test(
  'an error at the end of a task has its own exit code, wherever the lines are cut',
  async (t) => {
    const error = { error: { code: 'ERR_REFUSED', message: 'nö', hint: 'ask\u001b[2J' } }
    const line = Buffer.from(`${JSON.stringify(error)}\n`)
    const { code, stderr } = await against(
      t,
      async (_request, response) => {
        for (const byte of line) {
          response.write(Buffer.of(byte))
          await new Promise(setImmediate)
        }
        response.end()
      },
      refresh,
    )
    t.equal(code, 5)
    t.equal(stderr, 'sluice: error: nö\nsluice: hint: ask?[2J\n')
  },
)

t.test(
  'an answer that is no JSON, or a code that nobody knows, is an error of its own',
  async (t) => {
    const page = await against(t, (_request, response) => response.end('<html>'), ['pending'])
    t.match(page, { code: 1, stderr: /^sluice: error: what answers there is no Sluice server/ })
    const odd = await against(
      t,
      (_request, response) => {
        response.writeHead(418).end('{"error":{"code":"ERR_TEAPOT","message":"short and stout"}}')
      },
      ['pending'],
    )
    t.same(odd, { code: 1, stdout: '', stderr: 'sluice: error: short and stout\n' })
  },
)

t.test('the token goes into the header, and no proxy of the environment is asked', async (t) => {
  const seen: string[] = []
  const { code } = await against(
    t,
    (request, response) => {
      seen.push(`${request.method} ${request.url} ${request.headers.authorization}`)
      response.end('[]')
    },
    ['channel', 'list', '--json'],
  )
  t.equal(code, 0)
  t.equal(seen[0], 'GET /api/v1/channels Bearer not-a-secret')
})

t.test('Ctrl-C ends a command, and with it the work on the server', async (t) => {
  const { dir, upstream, sluice } = await makeWorld(t, [
    { name: 'hello', version: '1', arch: 'all' },
  ])
  upstream.clearRequests()
  upstream.fault(/InRelease$/, { kind: 'hang' })
  const command = startProgram(t, refresh, { cwd: dir, env: { SLUICE_DATA: 'var' } })
  while (upstream.count(/InRelease$/) === 0) await new Promise(setImmediate)
  command.signal('SIGINT')
  t.match(await command.ended, { code: 130, text: 'sluice: error: interrupted\n' })
  upstream.clearFaults()
  const { outcomes } = await sluice.api('POST', '/archives/refresh')
  t.match(outcomes, [{ kind: 'unchanged' }], 'the archive is free for the next refresh')
})
