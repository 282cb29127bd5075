/**
 * `kill -9` at each step of a key's rotation: after the next start, and without another word, the channel is signed by
 * the keys that it then has, no key is forgotten in the folder, and the same command leads to the same end. One in two steps,
 * drawn by SEED; all with SOAK=1.
 */
import { readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { judgeSuite, keysAt, writeOneKey } from '../support/key-files.ts'
import { runOk } from '../support/run.ts'
import { drawn, seedOr } from '../support/seed.ts'
import { type SluiceProcess, startProcess } from '../support/sluice-process.ts'
import { makeWorld } from '../support/world.ts'

const steps = {
  begin: { body: {}, states: ['current', 'next'], files: 3 },
  finish: { body: { finish: true, force: true }, states: ['current', 'retired'], files: 3 },
} as const
type Step = keyof typeof steps

interface Place {
  readonly t: Test
  /** `start/`: the data directory that a step begins with; `run/`: that of the run under way. */
  readonly dir: string
  readonly step: Step
}

async function start({ t, dir }: Place, fault?: string): Promise<SluiceProcess> {
  const begun = await startProcess(t, join(dir, 'run'), fault)
  if (!('url' in begun)) throw new Error(begun.text)
  return begun
}

async function setStage({ dir }: Place): Promise<void> {
  await rm(join(dir, 'run'), { recursive: true, force: true })
  await runOk('cp', ['-a', join(dir, 'start'), join(dir, 'run')])
}

const rotate = (sluice: SluiceProcess, step: Step) =>
  sluice.api('POST', '/keys/approved/rotate', steps[step].body)

/** The names of the crash points that the step passes, with the place of each among all that the server passes. */
async function rehearse(place: Place): Promise<Map<string, number>> {
  const trace = join(place.dir, 'trace')
  await rm(trace, { force: true })
  await setStage(place)
  const sluice = await start(place, `trace:${trace}`)
  const passed = async (): Promise<string[]> => (await readFile(trace, 'utf8')).trim().split('\n')
  const before = (await passed()).length
  await rotate(sluice, place.step)
  const points = new Map<string, number>()
  for (const [at, name] of (await passed()).entries()) {
    if (at >= before && !points.has(name)) points.set(name, at + 1)
  }
  await sluice.stop()
  return points
}

/** Waits until each signature that `approved` serves is by its live keys, whoever brings that about. */
async function isSettled(place: Place, sluice: SluiceProcess): Promise<void> {
  while (!(await hasSigned(place, sluice, 'nut')) || !(await hasSigned(place, sluice, 'sluice')));
}

async function hasSigned(
  { dir }: Place,
  { url }: SluiceProcess,
  archive: string,
): Promise<boolean> {
  const channel = `${url}/channels/approved`
  const live = await keysAt(`${channel}/key.asc`)
  const said: string[] = []
  for (const key of live) {
    const keyring = join(dir, 'one.gpg')
    await writeOneKey(`${channel}/key.asc`, key, keyring)
    const { gpgv } = await judgeSuite(dir, `${channel}/${archive}/dists/stable`, keyring)
    said.push(...gpgv)
  }
  const good = said.filter((word) => word === 'GOODSIG').length
  const all = said.filter((word) => ['GOODSIG', 'ERRSIG'].includes(word)).length
  return good === 2 * live.length && all === 2 * live.length ** 2
}

for (const step of ['begin', 'finish'] as const) {
  t.test(`killed at each step of: ${step}`, async (t) => {
    const world = await makeWorld(t, [{ name: 'hello', version: '1', arch: 'amd64' }])
    const { sluice } = world
    if (step === 'finish') await sluice.api('POST', '/keys/approved/rotate', {})
    await sluice.close()
    const place: Place = { t, dir: join(world.dir, 'crash'), step }
    await runOk('mkdir', [place.dir])
    await runOk('cp', ['-a', sluice.dataDir, join(place.dir, 'start')])
    const points = await rehearse(place)
    t.comment([...points].map(([name, at]) => `${at} ${name}`).join('; '))
    t.ok(points.size >= 8, 'it has its steps')
    // What lies between the steps of a publication is killed in test/server/crash.test.ts.
    const own = [...points].filter(([name]) => !/^publish: (?!signed)/.test(name))
    t.ok(own.length >= 4, 'and of those some of its own')
    for (const [name, nth] of drawn(own, 2, seedOr(process.env.SEED))) {
      await setStage(place)
      const dying = await start(place, `kill:${nth}`)
      await t.rejects(rotate(dying, step), `killed at ${name}`)
      t.equal((await dying.ended).signal, 'SIGKILL')
      const again = await start(place)
      await isSettled(place, again)
      const told = await rotate(again, step)
      t.match(told.error?.code ?? 'ERR_CONFLICT', 'ERR_CONFLICT', name)
      const { keys } = await again.api('GET', '/keys/approved')
      const states = keys.map((key: { state: string }) => key.state)
      t.same(states, steps[step].states)
      await isSettled(place, again)
      const files = await readdir(join(place.dir, 'run/keys'))
      t.equal(files.length, steps[step].files, 'no key is forgotten')
      t.same((await again.api('POST', '/verify')).problems, [])
      await again.stop('SIGKILL')
    }
  })
}
