/**
 * Loaded before each test (.taprc): a test's process has no async hook. tap has one, which tells to which subtest an
 * error belongs that was thrown outside of all of them, by following every promise of the process, those of the servers
 * in it too, which take a sixth more of processor time. Without, such an error still fails its file, with its stack.
 */
import async_hooks from 'node:async_hooks'
import { syncBuiltinESMExports } from 'node:module'

const { createHook } = async_hooks
async_hooks.createHook = () => createHook({})
syncBuiltinESMExports()
