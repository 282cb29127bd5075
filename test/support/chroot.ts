/**
 * A Debian system of its own, made by the real debootstrap from an archive and entered by chroot; it shares the
 * network of this machine. Needs root.
 */
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type RunResult, run } from './run.ts'

export interface Chroot {
  readonly dir: string
  /** What debootstrap said. */
  readonly made: RunResult
  /** Runs this text as a shell script there, as root; it ends at the first command that fails. */
  sh(script: string): Promise<ChrootRun>
  close(): Promise<void>
}

export interface ChrootRun {
  readonly code: number
  /** Both streams, as they came. */
  readonly output: string
  /** What apt was troubled by: its lines that begin with W:, E:, N:, Err: and Ign:. */
  readonly troubles: readonly string[]
}

/** Makes the minimal system of `suite` from `archive`, whose Release is signed by a key in `keyring`. */
export async function makeChroot(suite: string, archive: string, keyring: string): Promise<Chroot> {
  const dir = await mkdtemp(join(tmpdir(), 'sluice-chroot-'))
  const close = async (): Promise<void> => {
    const mounts = await readFile('/proc/self/mounts', 'utf8')
    const inside = mounts.split('\n').map((line) => line.split(' ')[1] ?? '')
    for (const path of inside.filter((one) => one.startsWith(`${dir}/`)).reverse()) {
      await run('umount', ['--lazy', path])
    }
    await rm(dir, { recursive: true, force: true })
  }
  const options = ['--variant=minbase', `--keyring=${keyring}`]
  // apt's own user must reach its files.
  await chmod(dir, 0o755)
  const made = await run('debootstrap', [...options, suite, dir, archive], {
    timeoutMs: 1_500_000,
  }).catch(async (error: unknown) => {
    await close()
    throw error
  })
  // No /dev/pts is mounted there.
  const conf = join(dir, 'etc/apt/apt.conf.d/no-pty')
  if (made.code === 0) await writeFile(conf, 'DPkg::Use-Pty "false";\n')
  const sh = async (script: string): Promise<ChrootRun> => {
    const { code, stdout } = await run(
      'chroot',
      [dir, '/bin/sh', '-e', '-c', `exec 2>&1\n${script}`],
      {
        env: {
          PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
          DEBIAN_FRONTEND: 'noninteractive',
          HOME: '/',
        },
      },
    )
    const troubles = stdout.split('\n').filter((line) => /^([WEN]: |(Err|Ign):\d)/.test(line))
    return { code, output: stdout, troubles }
  }
  return { dir, made, sh, close }
}
