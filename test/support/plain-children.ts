/**
 * Loaded before each test (.taprc): programs that a test starts run as users' do, without tap's hooks in NODE_OPTIONS,
 * which make every start of Node five times as long and keep some programs from starting. Coverage needs them.
 */
import processOnSpawn from 'process-on-spawn'

if (process.env._TAPJS_PROCESSINFO_COVERAGE_ !== '1') {
  processOnSpawn.addListener((child) => {
    const env = Object.entries(child.env).filter(([name]) => !isOfTap(name))
    child.env = Object.fromEntries(env)
  })
}

function isOfTap(name: string): boolean {
  return name === 'NODE_OPTIONS' || name.startsWith('_TAPJS_')
}
