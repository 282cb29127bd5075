/**
 * The signing process: the only one that reads private keys. Started by the server (signing-process.ts) with the folder
 * of the keys as its argument, it answers requests over Node's IPC, and ends when the server does. It measures as well
 * what a Release is about to list, in scratch files that it has from the server: that goes on beside the server's work.
 */
import { toAppError } from '../base/errors.ts'
import { signText } from '../debian/openpgp-sign.ts'
import { type KeyFiles, openKeyFiles } from './key-files.ts'
import { measureRuns } from './measure-runs.ts'
import { parseMessage, type SigningReply, type SigningRequest } from './signing-requests.ts'

async function answer(files: KeyFiles, request: SigningRequest): Promise<SigningReply> {
  if (request.kind === 'measure') return { kind: 'measured', ...measureRuns(request) }
  const { publication } = request
  if (request.kind === 'make') {
    const { publicArmored } = await files.make(publication, request.at, request.known)
    return { kind: 'key', publicKey: publicArmored }
  }
  if (request.kind === 'find') {
    const key = await files.find(publication, request.fingerprint)
    return key === undefined ? { kind: 'none' } : { kind: 'key', publicKey: key.publicArmored }
  }
  const signatures = []
  for (const fingerprint of request.fingerprints) {
    const key = await files.find(publication, fingerprint)
    if (key === undefined) return missing(publication, fingerprint)
    signatures.push(await signText(request.text, key, request.at))
  }
  return { kind: 'signed', signatures }
}

function missing(publication: string, fingerprint: string): SigningReply {
  const message = `the signing key of ${publication} is missing: ${keysDir}/${fingerprint}.asc`
  const hint = 'put it back from a backup: clients trust that key and no other'
  return { kind: 'failed', code: 'ERR_CONFIG', message, hint }
}

async function handle(message: unknown): Promise<void> {
  let reply: SigningReply
  try {
    files ??= openKeyFiles(keysDir)
    reply = await answer(await files, parseMessage<SigningRequest>(message))
  } catch (error) {
    const { code, message: text, hint } = toAppError(error)
    reply = { kind: 'failed', code, message: text, hint }
  }
  // The server may have gone meanwhile: nobody wants the answer then, and without the channel nothing keeps us.
  if (process.connected) process.send?.(reply, undefined, undefined, () => undefined)
}

const keysDir = process.argv[2] ?? ''
let files: Promise<KeyFiles> | undefined
process.title = 'sluice-sign'
// Ctrl-C at a terminal goes to us as well: the server says when it is over.
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, () => undefined)
process.on('message', (message) => void handle(message))
