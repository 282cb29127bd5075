/**
 * The folder of a test that starts servers in it: removed after all teardown handlers have run, in whatever order they were
 * added. tap removes a folder that was made before the first handler before it calls any.
 */
import type { Test } from 'tap'

/** An empty folder for the test. */
export function testDir(t: Test): string {
  t.teardown(() => {})
  return t.testdir()
}
