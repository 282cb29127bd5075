/**
 * An upload as a server would read it: from a directory, its `.changes` verified or not, each file by its kind.
 */
import { createReadStream } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Changes, readChanges } from '../../src/debian/changes-file.ts'
import { checkDeb } from '../../src/debian/check-deb.ts'
import { readDsc } from '../../src/debian/dsc-file.ts'
import { sumsOf } from '../../src/debian/file-sums.ts'
import type { Keyring } from '../../src/debian/keyring.ts'
import {
  type MatchedUpload,
  matchUpload,
  type UploadedFile,
} from '../../src/debian/match-upload.ts'
import type { Signer } from '../../src/debian/openpgp-signature.ts'
import { unverified, verifyUpload } from '../../src/debian/upload-signature.ts'

export interface ReadUpload extends MatchedUpload {
  readonly changes: Changes
  readonly signers: readonly Signer[]
}

/** Reads and checks the upload of this `.changes`; unverified without a ring. */
export async function readUpload(dir: string, name: string, ring?: Keyring): Promise<ReadUpload> {
  const data = await readFile(join(dir, name))
  const at = Math.floor(Date.now() / 1000)
  const signed =
    ring === undefined ? unverified(name, data) : await verifyUpload(name, data, { ring, at })
  const changes = readChanges(name, signed)
  const files = new Map<string, UploadedFile>()
  for (const { name: each } of changes.files) {
    const file = await readFileOf(join(dir, each), each).catch((error: unknown) => {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
      throw error
    })
    if (file !== undefined) files.set(each, file)
  }
  return { changes, signers: signed.signers, ...matchUpload(name, changes, files) }
}

async function readFileOf(path: string, name: string): Promise<UploadedFile> {
  if (name.endsWith('.deb')) {
    const deb = await checkDeb(createReadStream(path))
    return { kind: 'deb', sums: deb, deb }
  }
  const sums = await sumsOf(createReadStream(path))
  if (!name.endsWith('.dsc')) return { kind: 'other', sums }
  return { kind: 'dsc', sums, dsc: readDsc(name, unverified(name, await readFile(path))) }
}
