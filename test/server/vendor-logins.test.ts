/**
 * A vendor that wants a login, and sends who has one to a CDN for the packages: the login is told in a file, goes to the
 * vendor alone, and is seen nowhere.
 */
import { once } from 'node:events'
import { readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { createServer, type IncomingMessage } from 'node:http'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { styleOf, takes } from '../support/odd-vendor.ts'
import { startProgram } from '../support/program.ts'
import type { RunResult } from '../support/run.ts'
import type { TestSluice } from '../support/sluice.ts'
import { publishVendor } from '../support/vendor-styles.ts'
import { makeVendorsWorld, type VendorsWorld } from '../support/vendors-world.ts'

const PASSWORD = 's3cr:t/word'
const secrets = [PASSWORD, encodeURIComponent(PASSWORD), basicOf(PASSWORD)]

function basicOf(password: string): string {
  return Buffer.from(`customer:${password}`).toString('base64')
}

interface Paid {
  readonly url: string
  readonly asked: Pick<IncomingMessage, 'url' | 'headers'>[]
}

/** What is below `paid/` of the vendors' files, for customers; packages are at the CDN. */
async function startPaid(t: Test, world: VendorsWorld): Promise<Paid> {
  const asked: Paid['asked'] = []
  const server = createServer(async ({ url = '', headers }, res) => {
    asked.push({ url, headers })
    if (headers.authorization !== `Basic ${basicOf(PASSWORD)}`) {
      res.writeHead(401, { 'WWW-Authenticate': 'Basic realm="customers"' }).end('who are you\n')
      return
    }
    if (url.endsWith('.deb')) {
      const to = `${world.cdn.url.replace('127.0.0.1', 'localhost')}/paid${url}?token=once`
      res.writeHead(302, { Location: to }).end()
      return
    }
    const data = await readFile(join(world.files, 'paid', url)).catch(() => undefined)
    res.writeHead(data === undefined ? 404 : 200).end(data)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return { url: `http://127.0.0.1:${address.port}`, asked }
}

t.test(
  'the login of an archive is told apart, goes to its host alone, and is seen nowhere',
  async (t) => {
    const world = await makeVendorsWorld(t, [])
    const style = styleOf('paid')
    for (const root of [world.files, world.cdnFiles]) await publishVendor(root, style, [world.key])
    const paid = await startPaid(t, world)
    const file = join(world.dir, 'paid.conf')
    const add = (...more: string[]) => {
      const how = ['--suite', '/', '--arch', 'amd64', '--keyring', world.keyrings.binary]
      return world.run('archive', 'add', 'paid', paid.url, ...how, ...more)
    }
    await writeFile(file, `machine other.example login customer password ${PASSWORD}\n`)
    const other = await add('--auth', file)
    t.equal(other.code, 2)
    t.match(other.stderr, /no login there .*\n.*hint: .*machine http:\/\/127\.0\.0\.1:\d+ login/)
    const without = await add()
    t.match(without.stderr, /answered 401\n.*hint: .*sluice archive set paid --auth FILE/)

    await writeFile(file, `machine ${paid.url} login customer password ${PASSWORD}\n`)
    const set = await world.run('archive', 'set', 'paid', '--auth', file)
    t.equal(set.code, 0, set.stderr)
    const refreshed = await world.run('archive', 'refresh', 'paid')
    t.match(refreshed.stdout, /^paid flat +changed, 2 packages/m)
    await world.sluice.api('POST', '/channels', { name: 'on-paid', follow: ['paid'] })
    await takes(t, world, style, ['tool', 'other'])

    t.ok(world.cdn.requests.length > 0)
    for (const { headers } of world.cdn.requests) t.equal(headers.authorization, undefined)
    t.equal((await world.withLine(style, 'proxied').then((apt) => apt.update())).code, 100)

    t.comment('a URL that stays keeps it')
    const urls = ['--urls', `${paid.url}/`, 'http://127.0.0.1:9/paid']
    t.equal((await world.run('archive', 'set', 'paid', ...urls)).code, 0)
    t.match((await world.run('archive', 'refresh', 'paid')).stdout, /^paid flat +unchanged/m)

    t.comment('a wrong one is told without telling it')
    await writeFile(file, `machine ${paid.url} login customer password ${PASSWORD}x\n`)
    await world.run('archive', 'set', 'paid', '--auth', file)
    const wrong = await world.run('archive', 'refresh', 'paid')
    t.match(wrong.stderr, /answered 401/)
    await seenNowhere(
      t,
      world,
      [other, without, set, refreshed, wrong].map((one) => JSON.stringify(one)),
    )
  },
)

/** What the server writes while that is done. */
async function logOf(t: Test, sluice: TestSluice, work: () => Promise<RunResult>): Promise<string> {
  await sluice.close()
  const how = ['--json', '--data', sluice.dataDir, '--listen', '127.0.0.1:0', '--no-import']
  const program = startProgram(t, ['serve', ...how, '--log-level', 'debug'])
  await program.says(/"kind":"ready"/)
  t.match((await work()).stderr, /answered 401/)
  program.signal('SIGTERM')
  const { text } = await program.ended
  t.match(text, /paid/)
  return text
}

/** In no output, answer, audit row, configuration or metric; and in files of the server's own user alone. */
async function seenNowhere(t: Test, { sluice, run }: VendorsWorld, said: string[]): Promise<void> {
  const paths = ['/archives', '/archives/paid', '/audit', '/status', '/stats', '/channels/on-paid']
  for (const path of paths) said.push(JSON.stringify(await sluice.api('GET', path)))
  for (const args of [['export'], ['audit'], ['archive', 'show', 'paid', '--json']]) {
    const { code, stdout, stderr } = await run(...args)
    t.equal(code, 0, args.join(' '))
    said.push(stdout, stderr)
  }
  said.push(await (await fetch(`${sluice.url}/metrics`)).text())
  said.push(await logOf(t, sluice, () => run('archive', 'refresh', 'paid')))
  for (const text of said) for (const one of secrets) t.notOk(text.includes(one), 'no secret in it')
  let holders = 0
  const dir = await stat(sluice.dataDir)
  for (const entry of await readdir(sluice.dataDir, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue
    const path = join(entry.parentPath, entry.name)
    const data = await readFile(path)
    if (!secrets.some((one) => data.includes(one))) continue
    holders += 1
    t.match(entry.name, /^sluice\.db/, path)
    t.equal((await stat(path)).mode & 0o077 & dir.mode, 0, 'nobody else reads it')
  }
  t.ok(holders > 0, 'the database has it')
}
