/**
 * The settings that every call to openpgp.js gets; its global configuration stays as it is.
 *
 * What it reads is as wide as gpgv's, because whether a key or digest is good enough is decided in `openpgp-key.ts` and
 * `openpgp-verify.ts`, where each reason has an error of its own. What it writes must please gpgv 2.2 and sqv: version 4
 * packets without the salt notation that it adds by default.
 */
import { type Config, config, enums } from 'openpgp'

const { md5, sha1, ripemd, sha224 } = enums.hash

/** Reads all that gpgv reads. Self-signatures over MD5 or RIPEMD-160 do not count. */
export const wideConfig: Config = {
  ...config,
  v6Keys: false,
  nonDeterministicSignaturesViaNotation: false,
  preferredHashAlgorithm: enums.hash.sha512,
  allowMissingKeyFlags: true,
  ignoreMalformedPackets: true,
  ignoreUnsupportedPackets: true,
  minRSABits: 0,
  rejectHashAlgorithms: new Set([md5, ripemd]),
  rejectMessageHashAlgorithms: new Set(),
  rejectPublicKeyAlgorithms: new Set(),
  rejectCurves: new Set(),
}

/** As `wideConfig`, and self-signatures over SHA-1 or SHA-224 do not count: what sqv holds from 2026 on. */
export const strictConfig: Config = {
  ...wideConfig,
  rejectHashAlgorithms: new Set([md5, ripemd, sha1, sha224]),
}

/** As `wideConfig`, with every digest: to tell a broken self-signature from a weak one, and to check the arithmetic. */
export const anyDigestConfig: Config = { ...wideConfig, rejectHashAlgorithms: new Set() }
