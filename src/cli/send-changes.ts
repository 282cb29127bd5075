/**
 * A `.changes` and the files that it lists, which lie beside it: sent one by one, then published together.
 */
import { readFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { AppError } from '../base/errors.ts'
import type { ChangesOutcome } from './api-upload-types.ts'
import type { Client } from './client.ts'
import { digestOf, type Sending, sendPart } from './send-file.ts'

type Taken = Extract<ChangesOutcome, { kind: 'published' }>

/** Sends all of it and says what came of it. */
export async function sendChanges(client: Client, path: string, sending: Sending): Promise<Taken> {
  const { archive, suite, component, reason } = sending
  const { sha256 } = await digestOf(path)
  const session = `/archives/${encodeURIComponent(archive)}/uploads/${sha256}`
  const name = basename(path)
  for (const file of [...(await listedIn(path, name)), name])
    await sendPart(client, session, join(dirname(path), file), sending)
  const body = { changes: name, suite, component, reason }
  const outcome = await client.call<ChangesOutcome>('POST', session, body)
  if (outcome.kind === 'published') return outcome
  throw new AppError('ERR_INTERNAL', {
    message: `the server misses ${outcome.missing.join(', ')}`,
    hint: 'publish it again: what is there is not sent again',
  })
}

/** The files that it lists; who signed it is for the server to say. */
async function listedIn(path: string, name: string): Promise<string[]> {
  // It is not light: loaded by who needs it.
  const { readChanges } = await import('../debian/changes-file.ts')
  const { unverified } = await import('../debian/upload-signature.ts')
  return readChanges(name, unverified(name, await readFile(path))).files.map((file) => file.name)
}
