/**
 * The real debootstrap as far as it fetches: a suite `stable` with the packages `hello` and `libg++-dev`.
 */
import { readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Test } from 'tap'
import { run } from './run.ts'

const script = [
  'mirror_style release',
  'download_style apt',
  'finddebs_style from-indices',
  'work_out_debs() { required=hello; base=libg++-dev; }',
  'first_stage_install() { :; }',
]

export interface Bootstrap {
  /** In which a folder is made for the system. */
  readonly dir: string
  /** Binary. */
  readonly keyring: string
  readonly url: string
  readonly env?: Readonly<Record<string, string>>
}

/** Has it fetch into a new folder of this name. */
export async function bootstrap(
  t: Test,
  name: string,
  { dir, keyring, url, env = {} }: Bootstrap,
): Promise<void> {
  const target = join(dir, name)
  const path = join(dir, 'debootstrap-script')
  await writeFile(path, `${script.join('\n')}\n`)
  const how = ['--foreign', '--arch=amd64', `--keyring=${keyring}`]
  const { code, stdout } = await run('debootstrap', [...how, 'stable', target, url, path], { env })
  t.equal(code, 0, stdout)
  t.notMatch(stdout, /^[WE]: /m)
  const got = await readdir(join(target, 'var/cache/apt/archives'))
  t.equal(got.filter((one) => one.endsWith('.deb')).length, 2)
}
