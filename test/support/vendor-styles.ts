/**
 * The archives of vendors in the styles of the world, with neutral names: each as one of the well-known ones is laid out
 * and signed, with the line that the vendor tells people to put into their sources, and how Sluice is told of it.
 */
import { join } from 'node:path'
import type { SigningKey } from '../../fixtures/signing-key.ts'
import { writeKeyring } from '../../fixtures/signing-key.ts'
import {
  makeVendorArchive,
  type VendorPackage,
  type VendorSpec,
} from '../../fixtures/vendor-archive.ts'

export interface VendorStyle {
  /** Its folder at upstream, and what Sluice calls it. */
  readonly name: string
  /** Whose archives are laid out so. */
  readonly like: string
  /** What is told to Sluice of it behind its URL. */
  readonly options: string
  /** The vendor's own words behind the URL, in a line of apt's. */
  readonly line: string
  /** The same on a channel. */
  readonly channelLine: string
  /** What Sluice publishes of it. */
  readonly packages: readonly VendorPackage[]
  readonly spec: Omit<VendorSpec, 'keys'>
  /** Below the URL that the vendor names; nothing unless told. */
  readonly below?: string
}

const deb = (name: string, filename: string, more: Partial<VendorPackage['spec']> = {}) => ({
  spec: { name, version: '1.0', arch: 'amd64', content: 2000, ...more },
  filename,
})
const all = { arch: 'all' }

/** Flat, in a folder `binary/`; Release with Release.gpg alone; of architecture all; files served by mirrors. */
const builds: VendorStyle = {
  name: 'builds',
  like: 'a build server: flat, in a folder',
  options: '--suite binary/',
  line: 'binary/',
  channelLine: 'binary main',
  packages: [deb('builder', 'binary/builder_1.0_all.deb', all)],
  spec: {
    place: 'binary',
    indexes: {
      Packages: [
        deb('builder', 'binary/builder_1.0_all.deb', all),
        deb('builder', 'binary/builder_0.9_all.deb', { ...all, version: '0.9' }),
      ],
    },
    forms: ['plain', 'gz'],
    fields: { Origin: 'builds.example', Suite: 'binary', Architectures: 'all' },
    digests: ['MD5Sum', 'SHA1', 'SHA256'],
    signed: ['Release'],
  },
}

/** Flat, at the root; `./` before each name; no Suite and no Codename, `Architecture` instead of `Architectures`. */
const gpu: VendorStyle = {
  name: 'gpu',
  like: 'a maker of graphics cards: flat, at the root',
  options: '--suite ./',
  line: '/',
  channelLine: 'flat main',
  packages: [deb('gpu-driver', './gpu-driver_1.0_amd64.deb')],
  spec: {
    place: '',
    indexes: {
      Packages: [
        deb('gpu-driver', './gpu-driver_1.0_amd64.deb'),
        deb('gpu-driver', './gpu-driver_1.0_arm64.deb', { arch: 'arm64' }),
      ],
    },
    forms: ['plain', 'gz'],
    fields: { Origin: 'GPU', Label: 'GPU compute', Architecture: 'x86_64' },
    digests: ['MD5Sum', 'SHA1', 'SHA256'],
    signed: ['InRelease', 'Release'],
  },
}

/** Flat, below a path with colons; a folder for each architecture; all of it redirected to a CDN. */
const cluster: VendorStyle = {
  name: 'cluster',
  like: 'a build service: flat, versions in the URL, on a CDN',
  below: 'core:/stable:/v1/deb',
  options: '--suite /',
  line: '/',
  channelLine: 'flat main',
  packages: [deb('clusterctl', 'amd64/clusterctl_1.0-1.1_amd64.deb', { version: '1.0-1.1' })],
  spec: {
    place: '',
    indexes: {
      Packages: [
        deb('clusterctl', 'amd64/clusterctl_1.0-1.1_amd64.deb', { version: '1.0-1.1' }),
        deb('clusterctl', 'arm64/clusterctl_1.0-1.1_arm64.deb', {
          version: '1.0-1.1',
          arch: 'arm64',
        }),
      ],
    },
    forms: ['plain', 'gz'],
    fields: { Origin: 'obs://build.example/cluster', Archive: 'deb', Architectures: 'amd64 arm64' },
    signed: ['InRelease', 'Release'],
  },
}

/** With `dists/`, and the packages below it; in its index colons are written as `%3a`. */
const engine: VendorStyle = {
  name: 'engine',
  like: 'a container engine: packages below dists/',
  options: '--suite bookworm --component stable',
  line: 'bookworm stable',
  channelLine: 'bookworm stable',
  packages: [
    deb('engine', 'dists/bookworm/pool/stable/amd64/engine_1.0_amd64.deb'),
    deb('engine-cli', 'dists/bookworm/pool/stable/amd64/engine-cli_5%3a2.0_amd64.deb', {
      version: '5:2.0',
    }),
  ],
  spec: {
    place: 'dists/bookworm',
    indexes: {
      'stable/binary-amd64/Packages': [
        deb('engine', 'dists/bookworm/pool/stable/amd64/engine_1.0_amd64.deb'),
        deb('engine-cli', 'dists/bookworm/pool/stable/amd64/engine-cli_5%3a2.0_amd64.deb', {
          version: '5:2.0',
        }),
      ],
    },
    forms: ['bz2'],
    fields: { Origin: 'Engine', Suite: 'bookworm', Components: 'stable edge', Architectures: '' },
    signed: ['InRelease'],
  },
}

/** Lists forms and an architecture that it has not; the wrong list of architectures; several keys. */
const browser: VendorStyle = {
  name: 'browser',
  like: 'a web browser: lists more than it has',
  options: '--suite stable',
  line: 'stable main',
  channelLine: 'stable main',
  packages: [deb('browser-stable', 'pool/main/b/browser-stable/browser-stable_1.0_amd64.deb')],
  spec: {
    place: 'dists/stable',
    indexes: {
      'main/binary-amd64/Packages': [
        deb('browser-stable', 'pool/main/b/browser-stable/browser-stable_1.0_amd64.deb'),
      ],
    },
    forms: ['gz'],
    listed: ['plain', 'gz', 'xz', 'bz2'],
    fields: { Origin: 'Browser', Suite: 'stable', Codename: 'stable', Architectures: 'i386' },
    signed: ['InRelease', 'Release'],
  },
}

/** Old tools of its own: CRLF and tabs, no newline at the end, `Filename` first; no Date of its suite's name; Packages alone. */
const runtime: VendorStyle = {
  name: 'runtime',
  like: 'a language runtime: one suite for all, written by tools of its own',
  options: '--suite nodistro',
  line: 'nodistro main',
  channelLine: 'nodistro main',
  packages: [
    deb('runtime', './runtime_1.0_amd64.deb'),
    deb('runtime-doc', 'doc/runtime-doc_1.0_all.deb', all),
  ],
  spec: {
    place: 'dists/nodistro',
    indexes: {
      'main/binary-amd64/Packages': [
        deb('runtime', './runtime_1.0_amd64.deb'),
        deb('runtime-doc', 'doc/runtime-doc_1.0_all.deb', all),
      ],
    },
    forms: ['plain'],
    fields: { Origin: '. nodistro', Components: '' },
    signed: ['Release'],
    edit: (text) =>
      text
        .replaceAll(/^((?:.+\n)*?)(Filename: .*\n)/gm, '$2$1')
        .replaceAll(/^(\S+): /gm, '$1:\t')
        .trimEnd()
        .replaceAll('\n', '\r\n'),
  },
}

/** Packages of architecture all alone, in an index of their own that no list names. */
const scripts: VendorStyle = {
  name: 'scripts',
  like: 'a vendor of scripts: for all architectures alone',
  options: '--suite stable',
  line: 'stable main',
  channelLine: 'stable main',
  packages: [deb('scripts', 'pool/scripts.deb', all)],
  spec: {
    place: 'dists/stable',
    indexes: { 'main/binary-all/Packages': [deb('scripts', 'pool/scripts.deb', all)] },
    forms: ['gz'],
    fields: { Suite: 'stable', Architectures: 'all', Components: 'main' },
    signed: ['InRelease'],
  },
}

/** Those without `dists/`. */
export const flatStyles: readonly VendorStyle[] = [builds, gpu, cluster]

/** Those with it. */
export const distsStyles: readonly VendorStyle[] = [engine, browser, runtime, scripts]

/** All of them. */
export const vendorStyles: readonly VendorStyle[] = [...flatStyles, ...distsStyles]

/** Publishes them below `root`, each in its folder; `publish` may be called for one again, changed. */
export async function publishVendor(
  root: string,
  { name, below = '', spec }: VendorStyle,
  keys: readonly SigningKey[],
  more: Partial<VendorSpec> = {},
): Promise<void> {
  await makeVendorArchive(join(root, name, below), { ...spec, keys, ...more })
}

/** The keyrings that vendors give out: `vendor.asc`, and `vendor.gpg` with a second key first. */
export async function writeVendorKeys(
  dir: string,
  key: SigningKey,
  other: SigningKey,
): Promise<{ readonly armored: string; readonly binary: string }> {
  const binary = join(dir, 'vendor.gpg')
  await writeKeyring(binary, [other, key])
  return { armored: key.publicAsc, binary }
}
