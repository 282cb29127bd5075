/**
 * Certificates for tests, by openssl: an authority, servers at 127.0.0.1 and clients.
 */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { runOk } from './run.ts'

/** Paths of files in PEM. */
export interface Certificate {
  readonly cert: string
  readonly key: string
  /** Both in one. */
  readonly both: string
}

export interface Authority {
  /** Path of its certificate. */
  readonly cert: string
  /** A certificate by this authority: for `localhost` and 127.0.0.1, and to show as a client. */
  issue(name: string): Promise<Certificate>
}

const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']

/** Makes an authority that nobody trusts yet; its files are in `dir`. */
export async function makeAuthority(dir: string, name = 'authority'): Promise<Authority> {
  const at = (file: string): string => join(dir, `${name}-${file}.pem`)
  const own = ['-keyout', at('ca-key'), '-out', at('ca'), '-days', '2', '-subj', `/CN=${name}`]
  await runOk('openssl', ['req', '-x509', ...key, ...own])
  return {
    cert: at('ca'),
    issue: async (subject) => {
      const files = {
        cert: at(subject),
        key: at(`${subject}-key`),
        both: at(`${subject}-both`),
      }
      const names = 'subjectAltName=DNS:localhost,IP:127.0.0.1'
      const by = ['-CA', at('ca'), '-CAkey', at('ca-key'), '-addext', names]
      const out = [
        '-keyout',
        files.key,
        '-out',
        files.cert,
        '-days',
        '2',
        '-subj',
        `/CN=${subject}`,
      ]
      await runOk('openssl', ['req', '-x509', ...key, ...by, ...out])
      const texts = await Promise.all([files.cert, files.key].map((path) => readFile(path, 'utf8')))
      await writeFile(files.both, texts.join(''))
      return files
    },
  }
}
