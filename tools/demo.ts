/**
 * `npm run demo`: the story of a package from upstream to a machine, with real parts: a small signed archive made by
 * dpkg-deb, apt-ftparchive and gpg, a server of its own with data in a temporary folder, and a real apt with a root of
 * its own. Nothing of this machine is changed. What is seen at each step is compared with what the story says; the
 * first difference ends it with exit code 1. The folder goes away in any case.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { makeArchive } from '../fixtures/make-archive.ts'
import { makeSigningKey, type SigningKey } from '../fixtures/signing-key.ts'
import { createApt, type TestApt } from '../test/support/apt.ts'
import { type RunResult, run, runOk } from '../test/support/run.ts'
import { startUpstream, type TestUpstream } from '../test/support/upstream-server.ts'

const sluiceProgram = join(import.meta.dirname, '../bin/sluice')

/** The stage: where all of it plays. */
interface Stage {
  readonly dir: string
  readonly arch: string
  readonly key: SigningKey
  readonly upstream: TestUpstream
  /** The environment in which `sluice` finds the server of the story. */
  readonly env: Readonly<Record<string, string>>
  steps: number
}

/** What was seen is not what the story says. */
class Difference extends Error {}

let isInterrupted = false

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}

/** One line of who did what, and what was seen. */
function tell(stage: Stage, who: string, what: string, seen?: string): void {
  if (isInterrupted) throw new Difference('interrupted')
  stage.steps++
  say(`${who.padEnd(10)} ${seen === undefined ? what : `${what.padEnd(58)} -> ${seen}`}`)
}

function expect(what: string, seen: unknown, wanted: unknown): void {
  if (JSON.stringify(seen) === JSON.stringify(wanted)) return
  throw new Difference(
    `${what} is ${JSON.stringify(seen)}, and should be ${JSON.stringify(wanted)}`,
  )
}

/** Runs a real command against the server of the story, and shows it with its output. */
async function sluice(stage: Stage, args: readonly string[], wantedCode = 0): Promise<RunResult> {
  if (isInterrupted) throw new Difference('interrupted')
  const shown = args.map((word) => (/^[\w.:/@=-]+$/.test(word) ? word : `'${word}'`)).join(' ')
  say(`$ sluice ${shown}`)
  const result = await run(sluiceProgram, args, { env: stage.env, cwd: stage.dir })
  process.stdout.write(result.stdout + result.stderr)
  expect(`the exit code of sluice ${args[0]}`, result.code, wantedCode)
  return result
}

async function publish(stage: Stage, version: string, key = stage.key): Promise<void> {
  const hello = { name: 'hello', version, arch: stage.arch, content: 500 }
  await makeArchive(join(stage.dir, 'archive'), {
    key,
    suites: [
      {
        suite: 'stable',
        codename: 'stable',
        origin: 'Demo',
        label: 'Demo',
        components: ['main'],
        architectures: [stage.arch],
        packages: [hello],
      },
    ],
  })
}

/** A machine whose sources are those that the server tells for `approved`; its key lies in the machine's own root. */
async function setUpMachine(stage: Stage): Promise<TestApt> {
  const { stdout } = await runOk(sluiceProgram, ['channel', 'show', 'approved', '--json'], {
    env: stage.env,
  })
  const { setup } = JSON.parse(stdout)
  const exported = await runOk(sluiceProgram, ['key', 'export', 'approved'], { env: stage.env })
  const keyFile = join(stage.dir, 'machine-key.asc')
  await writeFile(keyFile, exported.stdout)
  const sources = String(setup.sources).replaceAll(setup.keyPath, keyFile)
  return createApt(join(stage.dir, 'machine'), { sources, arch: stage.arch })
}

async function update(machine: TestApt): Promise<number> {
  const { code, warnings, errors, fetchedBytes } = await machine.update()
  expect(
    'what apt-get update complains of',
    { code, warnings, errors },
    { code: 0, warnings: [], errors: [] },
  )
  return fetchedBytes
}

async function install(stage: Stage, machine: TestApt): Promise<void> {
  await update(machine)
  await machine.install('hello')
  expect('what is installed', await machine.installed(), ['hello=2.10-3'])
  tell(stage, 'machine', 'on approved: apt-get update, apt-get install hello', 'hello 2.10-3')
}

async function seeNothingNew(stage: Stage, machine: TestApt): Promise<void> {
  await publish(stage, '2.12-1')
  tell(stage, 'upstream', 'publishes hello 2.12-1')
  const refreshed = await sluice(stage, ['archive', 'refresh', 'demo'])
  expect('that testing moved on', refreshed.stdout.includes('testing generation 2'), true)
  await update(machine)
  const { candidate } = await machine.policy('hello')
  expect('the candidate before the promotion', candidate, '2.10-3')
  tell(
    stage,
    'machine',
    'apt-get update; apt-cache policy hello',
    'candidate 2.10-3: not approved yet',
  )
}

async function promote(stage: Stage, machine: TestApt): Promise<void> {
  const pending = await sluice(stage, ['pending'])
  expect('that hello waits', /^hello +2\.10-3 +2\.12-1 /m.test(pending.stdout), true)
  const where = ['--from', 'testing', '--to', 'approved']
  await sluice(stage, ['promote', 'hello', ...where, '--reason', 'tried on lab-1'])
  const bytes = await update(machine)
  await machine.upgrade()
  expect('what is installed after the upgrade', await machine.installed(), ['hello=2.12-1'])
  const fetched = `apt-get update (${(bytes / 1000).toFixed(1)} kB), apt-get upgrade`
  tell(stage, 'machine', fetched, 'hello 2.12-1')
}

async function rollBack(stage: Stage, machine: TestApt): Promise<void> {
  await sluice(stage, ['rollback', 'approved', '--to', '1', '--reason', 'show it'])
  await update(machine)
  const policy = await machine.policy('hello')
  expect('what is installed after the rollback', policy.installed, '2.12-1')
  const offered = policy.versions.filter((one) => one.lines.some((line) => line.includes('http:')))
  expect(
    'what is offered after the rollback',
    offered.map((one) => one.version),
    ['2.10-3'],
  )
  tell(
    stage,
    'machine',
    'apt-get update',
    `candidate ${policy.candidate} (installed), 2.10-3 offered`,
  )
}

async function attack(stage: Stage, machine: TestApt): Promise<void> {
  const other = await makeSigningKey(
    join(stage.dir, 'keys'),
    'Somebody Else <else@archive.example>',
  )
  await publish(stage, '9.9', other)
  tell(stage, 'upstream', 'is replaced by an attacker: hello 9.9 with the wrong key')
  const refused = await sluice(stage, ['archive', 'refresh', 'demo'], 1)
  expect(
    'that the refusal is told',
    refused.stderr.startsWith('sluice: error: demo stable: '),
    true,
  )
  const found = await runOk(sluiceProgram, ['search', 'hello', '--json'], { env: stage.env })
  expect('whether hello 9.9 got in', found.stdout.includes('9.9'), false)
  await update(machine)
  tell(stage, 'machine', 'apt-get update', 'as before: the attack did not get through')
}

async function play(stage: Stage): Promise<void> {
  tell(stage, 'upstream', 'publishes hello 2.10-3')
  const keyring = ['--keyring', stage.key.publicAsc]
  await sluice(stage, [
    'archive',
    'add',
    'demo',
    stage.upstream.url,
    '--suite',
    'stable',
    ...keyring,
  ])
  await sluice(stage, ['channel', 'create', 'testing', '--follow', 'demo'])
  await sluice(stage, ['channel', 'create', 'approved', '--from', 'testing'])
  const machine = await setUpMachine(stage)
  await install(stage, machine)
  await seeNothingNew(stage, machine)
  await promote(stage, machine)
  await rollBack(stage, machine)
  await attack(stage, machine)
}

/** A server on a free port of this machine; resolves when it is ready. */
async function startServer(data: string): Promise<ChildProcess> {
  const args = ['serve', '--data', data, '--listen', '127.0.0.1:0', '--no-import', '--json']
  // Its own process group: Ctrl-C ends the demo, which then stops the server.
  const stdio = ['ignore', 'pipe', 'inherit'] as const
  const server = spawn(sluiceProgram, args, { detached: true, stdio: [...stdio] })
  for await (const line of createInterface({ input: server.stdout })) {
    if (JSON.parse(line).kind === 'ready') {
      server.stdout.resume()
      return server
    }
  }
  throw new Difference('the server did not start')
}

async function stop(server: ChildProcess): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null) return
  const ended = once(server, 'exit')
  server.kill('SIGTERM')
  await ended
}

async function playInFolder(dir: string): Promise<number> {
  const arch = (await runOk('dpkg', ['--print-architecture'])).stdout.trim()
  const key = await makeSigningKey(join(dir, 'keys'), 'Demo Archive <demo@archive.example>')
  const upstream = await startUpstream(join(dir, 'archive'))
  const data = join(dir, 'data')
  const env = { SLUICE_DATA: data, HOME: dir }
  const stage: Stage = { dir, arch, key, upstream, env, steps: 0 }
  let server: ChildProcess | undefined
  try {
    await publish(stage, '2.10-3')
    server = await startServer(data)
    await play(stage)
    return stage.steps
  } finally {
    if (server !== undefined) await stop(server)
    await upstream.close()
  }
}

/** Programs that the small archive is made with, and the Debian packages that have them. */
const needed = { 'dpkg-deb': 'dpkg', 'apt-ftparchive': 'apt-utils', gpg: 'gpg', 'apt-get': 'apt' }

async function missingPackages(): Promise<string[]> {
  const missing: string[] = []
  for (const [program, name] of Object.entries(needed)) {
    const isHere = await run(program, ['--version']).then(
      () => true,
      () => false,
    )
    if (!isHere) missing.push(name)
  }
  return missing
}

async function main(): Promise<number> {
  const missing = await missingPackages()
  if (missing.length > 0) {
    say(
      `demo: error: this machine lacks ${missing.join(', ')}, which the small archive is made with`,
    )
    say(`demo: hint: apt-get install ${missing.join(' ')}`)
    return 1
  }
  process.on('SIGINT', () => {
    isInterrupted = true
  })
  const dir = await mkdtemp(join(tmpdir(), 'sluice-demo-'))
  say(
    'demo: a small archive on 127.0.0.1, a server with data in a temp folder, and a real apt with a root of its own',
  )
  try {
    const steps = await playInFolder(dir)
    say(`demo: ${steps} steps, each seen as told; the folder is gone again`)
    return 0
  } catch (error) {
    if (!(error instanceof Difference)) throw error
    say(`demo: error: ${error.message}`)
    return isInterrupted ? 130 : 1
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
}

process.exitCode = await main()
