/**
 * Backups on another disk than the data: copied, not linked; and refused before anything is written where there is no room.
 *
 * The other disk is a small file system of the command's own mount namespace.
 */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { sluiceProgram } from '../support/program.ts'
import { type RunResult, run } from '../support/run.ts'
import { startSluice } from '../support/sluice.ts'
import { makeWorld } from '../support/world.ts'

/** Runs shell lines with `$disk` a file system of this size, `$sluice` and `$data`. */
async function onDisk(t: Test, size: string, lines: readonly string[]): Promise<RunResult> {
  const { dir, sluice, machine } = await makeWorld(t, [
    { name: 'hello', version: '1', arch: 'amd64', content: 300_000 },
  ])
  const apt = await machine('one', 'approved')
  await apt.update()
  await apt.download('hello')
  await sluice.close()
  const disk = join(dir, 'disk')
  await mkdir(disk)
  const mount = `mount -t tmpfs -o size=${size} none "$disk"`
  const root = process.getuid?.() === 0 ? [] : ['--map-root-user']
  const script = ['set -e', mount, ...lines].join('\n')
  const env = { disk, sluice: sluiceProgram, data: sluice.dataDir, SLUICE_BACKUP_PASSPHRASE: 'x' }
  return run('unshare', ['--mount', ...root, 'sh', '-c', script], { env, cwd: dir })
}

t.test('onto another disk files are copied, and a further backup copies nothing', async (t) => {
  const { code, stdout, stderr } = await onDisk(t, '60m', [
    '$sluice --data $data backup $disk/b --json',
    '$sluice --data $data backup $disk/b',
    '$sluice restore $disk/b --check',
    '(cd $disk/b/snapshots/*Z-2 2>/dev/null || cd "$(ls -d $disk/b/snapshots/*Z | tail -1)"; sha256sum --strict --quiet -c SHA256SUMS)',
    'stat -c %a-%h $(find $disk/b/blobs -type f) | sort -u',
    '$sluice restore $disk/b --data restored',
  ])
  t.equal(stderr, '')
  t.equal(code, 0)
  t.match(stdout, /"linked": \{\s+"count": 0,/)
  t.match(stdout, /files \(3.. kB\), 0 of them new \(0 B\)\n/)
  t.match(stdout, /^all is well/m)
  t.match(stdout, /^444-1$/m)
  const again = await startSluice(join(t.testdirName, 'restored'))
  t.teardown(() => again.close())
  t.match(await again.api('POST', '/verify', { deep: true }), { problems: [] })
})

t.test('a disk without room is told before anything is written', async (t) => {
  const { code, stdout, stderr } = await onDisk(t, '2m', [
    '$sluice --data $data backup $disk/b || echo "exit $?"',
    'find $disk/b -type f -size +0',
  ])
  t.match(
    stderr,
    /^sluice: error: the backup needs \d\d MB in \S+, and \d MB are free\nsluice: hint: /,
  )
  t.equal(stdout, 'exit 1\n')
  t.equal(code, 0)
})
