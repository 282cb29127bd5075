/**
 * The folder of a test: removed after all teardown handlers have run, in whatever order they were added. tap alone removes
 * a folder that was made before the first handler before it calls any: under the servers that still write there.
 */
import type { Test } from 'tap'

/** A folder for the test, empty or with these files: those of tap's `t.testdir`. */
export function testDir(t: Test, files: Parameters<Test['testdir']>[0] = {}): string {
  t.teardown(() => {})
  return t.testdir(files)
}
