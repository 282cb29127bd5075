/** Signing by a command, as for a smart card: here a script around a real gpg with keys of its own. */
import { chmod, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { PackageSpec } from '../../fixtures/debs.ts'
import { createSignCommand } from '../../src/signing/sign-command.ts'
import { type GpgHome, openGpgHome } from '../debian/openpgp-judges.ts'
import { keysAt } from '../support/key-files.ts'
import { startSluice } from '../support/sluice.ts'
import { testDir } from '../support/test-dir.ts'
import { clean, makeWorld, troubles, type World } from '../support/world.ts'

const hello = (version: string): PackageSpec => ({ name: 'hello', version, arch: 'amd64' })
const all = { from: 'testing', to: 'approved', all: true }
/** A day ago: keys must be older than what they sign. */
const yesterday = `${new Date(Date.now() - 86_400_000).toISOString().replaceAll(/[-:]|\.\d+Z$/g, '')}!`

/** What it does wrong stands in the file `mode` beside it. */
const SCRIPT = `#!/bin/sh -e
home=$(dirname "$0") want=$1 name=$(echo "$2" | tr : ' ') at=$3
shift 3
mode=$(cat "$home/mode")
for key; do users="$users --local-user $key"; done
case $mode in
  fail) echo 'card: not in the reader' >&2; exit 7 ;;
  garbage) echo hello; exit ;;
  wrong-key) users="--local-user $(cat "$home/stranger")" ;;
  future) at=$((at + 7200)) ;;
esac
gpg() {
  command gpg --homedir "$home" --batch --quiet --no-tty --pinentry-mode loopback --passphrase '' \\
    --faked-system-time "$at!" --digest-algo SHA512 "$@"
}
case $want in
  export-key) gpg --armor --export "$name" ;;
  clearsign) if [ "$mode" = other-text ]; then sed 's/^Suite:.*/Suite: evil/'; else cat; fi | gpg $users --clear-sign ;;
  detach) if [ "$mode" = other-detached ]; then sed 's/^Suite:.*/Suite: evil/'; else cat; fi | gpg $users --armor --detach-sign ;;
esac
`

interface Card {
  readonly gpg: GpgHome
  readonly command: string
  makeKey(publication: string): Promise<string>
  setMode(mode: string): Promise<void>
}

async function makeCard(t: Test): Promise<Card> {
  const gpg = await openGpgHome()
  t.teardown(() => gpg.close())
  const command = join(gpg.dir, 'sign')
  await writeFile(command, SCRIPT)
  await chmod(command, 0o755)
  const setMode = (mode: string): Promise<void> => writeFile(join(gpg.dir, 'mode'), mode)
  await setMode('')
  const makeKey: Card['makeKey'] = (publication) =>
    gpg.makeKey(publication, ['ed25519', 'sign'], ['--faked-system-time', yesterday])
  return { gpg, command, makeKey, setMode }
}

/** A world whose server signs by the card, `testing` and `approved` with a key each. */
async function makeCardWorld(t: Test): Promise<World & { card: Card; cardKey: string }> {
  const card = await makeCard(t)
  await card.makeKey('channel testing')
  const cardKey = await card.makeKey('channel approved')
  const flags = { 'sign-command': card.command }
  const world = await makeWorld(t, [hello('1')], { start: { flags } })
  return { ...world, card, cardKey }
}

t.test('a channel is signed by a command, and its key replaced by another of it', async (t) => {
  const { card, cardKey, sluice, machine, ...world } = await makeCardWorld(t)
  const keyUrl = `${sluice.url}/channels/approved/key.asc`
  t.same(await keysAt(keyUrl), [cardKey])
  t.same(await readdir(join(sluice.dataDir, 'keys')).catch(() => []), [], 'no key is here')
  const apt = await machine('one', 'approved')
  t.same(troubles(await apt.update()), clean)

  const rotate = (body: object = {}) => sluice.api('POST', '/keys/approved/rotate', body)
  t.match((await rotate()).error, { code: 'ERR_REFUSED', hint: /export-key/ })
  const next = await card.gpg.makeKey(
    'channel approved 2',
    ['ed25519', 'cert'],
    ['--faked-system-time', yesterday],
  )
  await card.gpg.run('--faked-system-time', yesterday, '--quick-add-key', next, 'ed25519', 'sign')
  t.match(await rotate(), {
    generation: { serial: 2 },
    after: { keys: [{ source: 'command' }, {}] },
  })
  t.same(await keysAt(keyUrl), [cardKey, next])
  const late = await machine('two', 'approved')
  for (const each of [apt, late]) t.same(troubles(await each.update()), clean)
  t.match(await rotate({ finish: true, force: true }), { generation: { serial: 3 } })
  t.same(troubles(await late.update()), clean, 'the new key signs by a subkey')
  t.notSame(troubles(await apt.update()), clean)
  await world.publish([hello('2')])
  await sluice.api('POST', '/archives/refresh')
  t.match(await sluice.api('POST', '/promotions', all), { generation: { serial: 4 } })
  t.same(troubles(await late.update()), clean)
})

t.test('whatever a command does wrong, nothing is published and the reason is told', async (t) => {
  const { card, sluice, machine, publish } = await makeCardWorld(t)
  const apt = await machine('one', 'approved')
  t.same(troubles(await apt.update()), clean)
  await writeFile(join(card.gpg.dir, 'stranger'), await card.makeKey('somebody'))
  await publish([hello('2')])
  await sluice.api('POST', '/archives/refresh')
  const wrong: readonly (readonly [mode: string, error: object])[] = [
    ['fail', { code: 'ERR_SIGNING', message: /asked for clearsign: ended with 7: card: not in/ }],
    ['garbage', { code: 'ERR_SIGNING', message: /cannot be used: InRelease is not signed/ }],
    ['other-text', { code: 'ERR_SIGNING', message: /the signed text is not the Release text/ }],
    ['other-detached', { code: 'ERR_SIGNATURE_BAD', message: /gpgv refuses it|sqv refuses it/ }],
    ['wrong-key', { code: 'ERR_SIGNATURE_BAD', message: /channel:approved nut stable/ }],
    ['future', { code: 'ERR_SIGNATURE_BAD', message: /sqv refuses it: .*Not live until/ }],
  ]
  for (const [mode, error] of wrong) {
    await card.setMode(mode)
    const refused = await sluice.api('POST', '/promotions', all)
    t.match(refused.error, error, mode)
    t.match(await sluice.api('GET', '/channels/approved'), { head: 1 })
    t.same(troubles(await apt.update()), clean)
  }
  await card.setMode('')
  t.match(await sluice.api('POST', '/promotions', all), { generation: { serial: 2 } })
  t.same(troubles(await apt.update()), clean)
  t.equal((await apt.policy('hello')).candidate, '2')
  t.same((await sluice.api('POST', '/verify')).problems, [])
})

t.test('rotating moves a channel from a key file to the command', async (t) => {
  const { sluice, machine, dir } = await makeWorld(t, [hello('1')])
  const apt = await machine('one', 'approved')
  await sluice.close()
  const card = await makeCard(t)
  const next = await card.makeKey('channel approved')
  const again = await startSluice(sluice.dataDir, { flags: { 'sign-command': card.command } })
  t.teardown(() => again.close())
  const keyPath = join(dir, 'one/sluice.asc')
  await apt.setSources(`deb [signed-by=${keyPath}] ${again.url}/channels/approved/nut stable main`)
  t.match(await again.api('POST', '/keys/approved/rotate', {}), { generation: { serial: 2 } })
  t.same(troubles(await apt.update()), clean, 'the file’s key signs still')
  const { keys } = await again.api('GET', '/keys/approved')
  t.match(keys, [
    { state: 'current', source: 'file' },
    { fingerprint: next, state: 'next', source: 'command' },
  ])
  const finish = { finish: true, force: true }
  t.match(await again.api('POST', '/keys/approved/rotate', finish), { generation: { serial: 3 } })
  await writeFile(keyPath, await (await fetch(`${again.url}/channels/approved/key.asc`)).bytes())
  t.same(troubles(await apt.update()), clean)
})

t.test('a command that hangs is killed, with all that it started', async (t) => {
  const dir = testDir(t)
  const pidFile = join(dir, 'pid')
  const command = ['/bin/sh', '-c', `sleep 1000 & echo $! >${pidFile}; wait`]
  const hanging = createSignCommand({ command, environment: {}, timeoutMs: 5000 })
  const asked = hanging.exportKeys('channel:x', 0)
  await t.rejects(asked, { code: 'ERR_SIGNING', message: /export-key: .* within 5 s/ })
  const pid = Number(await readFile(pidFile, 'utf8'))
  // What it started is gone, or was and nobody has asked for its exit code.
  const isRunning = async (): Promise<boolean> =>
    /\) [RSD]/.test(await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => ''))
  while (await isRunning());
  const missing = createSignCommand({ command: ['/nonexistent'], environment: {} })
  await t.rejects(missing.exportKeys('channel:x', 0), { code: 'ERR_SIGNING', message: /ENOENT/ })
})

t.test('a command gets the environment, but for what is of Sluice in it', async (t) => {
  const told = createSignCommand({
    command: ['/bin/sh', '-c', 'echo "$CARD, $SLUICE_TOKEN." >&2; exit 3'],
    environment: { CARD: 'reader-1', SLUICE_TOKEN: 'not-a-secret' },
  })
  const error = await told.exportKeys('channel:x', 0).catch((thrown: Error) => thrown)
  t.match(error, { message: /reader-1, \.$/ })
})
