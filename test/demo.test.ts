/**
 * `npm run demo` tells the whole story, each step as it was seen, and leaves nothing behind.
 */
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { run } from './support/run.ts'

const root = join(import.meta.dirname, '..')

/** What is told, in this order; spans, sizes, ports and fingerprints are any. */
const story = [
  /^demo: a small archive on 127\.0\.0\.1, a server .* and a real apt with a root of its own$/,
  /^upstream +publishes hello 2\.10-3$/,
  /^\$ sluice archive add demo http:\/\/127\.0\.0\.1:\d+ --suite stable --keyring /,
  /^\$ sluice channel create testing --follow demo$/,
  /^channel testing generation 1: following$/,
  /^\$ sluice channel create approved --from testing$/,
  /^channel approved generation 1: curated$/,
  /^machine +on approved: apt-get update, apt-get install hello +-> hello 2\.10-3$/,
  /^upstream +publishes hello 2\.12-1$/,
  /^\$ sluice archive refresh demo$/,
  /^1 changed package, testing generation 2, /,
  /^machine +apt-get update; apt-cache policy hello +-> candidate 2\.10-3: not approved yet$/,
  /^\$ sluice pending$/,
  /^hello +2\.10-3 +2\.12-1 /,
  /^\$ sluice promote hello --from testing --to approved --reason 'tried on lab-1'$/,
  /^hello 2\.10-3 -> 2\.12-1 /,
  /^approved generation 2, /,
  /^machine +apt-get update \([\d.]+ kB\), apt-get upgrade +-> hello 2\.12-1$/,
  /^\$ sluice rollback approved --to 1 --reason 'show it'$/,
  /^approved generation 3 = generation 1; .*: dpkg does not go back by itself$/,
  /^machine +apt-get update +-> candidate 2\.12-1 \(installed\), 2\.10-3 offered$/,
  /^upstream +is replaced by an attacker: hello 9\.9 with the wrong key$/,
  /^\$ sluice archive refresh demo$/,
  /^sluice: error: demo stable: .*\bnot by a key of the keyring\b/,
  /^sluice: hint: testing goes on serving generation 2/,
  /^machine +apt-get update +-> as before: the attack did not get through$/,
  /^demo: \d+ steps, each seen as told; the folder is gone again$/,
]

t.test('the demo plays to its end and leaves nothing behind', async (t) => {
  const temporary = await mkdtemp(join(tmpdir(), 'demo-test-'))
  t.teardown(() => rm(temporary, { recursive: true, force: true }))
  const env = { TMPDIR: temporary, HOME: temporary }
  const { code, stdout, stderr } = await run('npm', ['run', '--silent', 'demo'], { cwd: root, env })
  t.equal(code, 0, stderr)
  t.equal(stderr, '')
  let lines = stdout.trimEnd().split('\n')
  for (const line of story) {
    const at = lines.findIndex((one) => line.test(one))
    if (!t.not(at, -1, String(line), { stdout })) return
    lines = lines.slice(at + 1)
  }
  t.same(lines, [], 'that was the last line')
  const own = ['.npm', 'node-compile-cache']
  const left = (await readdir(temporary)).filter((name) => !own.includes(name))
  t.same(left, [], 'but for what npm keeps for itself')
})
