/**
 * The lines that put a machine on a channel, as a person copies them from the terminal: the key pinned by its digest,
 * the sources, the old sources switched off. They need nothing that a minimal Debian lacks.
 *
 * They stand at the beginning of the line: indented, the end of the here-document would not end it, and the fields of
 * the sources would read as continuations. Old sources get the suffix `.disabled`, which apt passes over in silence.
 */
import type { ClientSetup } from '../server/client-setup.ts'

/** What to say to a person, with the lines to copy between two empty ones. */
export function setupLines(setup: ClientSetup): string[] {
  const { channel, scriptUrl } = setup
  return [
    `Put a machine on \`${channel}\`: run there, as root`,
    '',
    ...setupCommands(setup),
    '',
    `The same as a script to read first: ${scriptUrl}`,
  ]
}

/** The lines alone: a shell script. */
export function setupCommands({
  keyUrl,
  keyPath,
  keySha256,
  sources,
  oldFiles,
  keyring,
}: ClientSetup): string[] {
  return [
    'install -d -m 755 /etc/apt/keyrings',
    `/usr/lib/apt/apt-helper -o APT::Sandbox::User=root download-file ${keyUrl} \\`,
    `    ${keyPath} SHA256:${keySha256}`,
    "cat > /etc/apt/sources.list.d/sluice.sources <<'END'",
    ...sources.trimEnd().split('\n'),
    'END',
    ...oldFiles.map(
      (file) => `mv ${quote(file)} ${quote(`${file}.disabled`)}     # back: move it again`,
    ),
    'apt-get update',
    ...(keyring === undefined ? [] : ['apt-get install -y sluice-archive-keyring']),
  ]
}

function quote(path: string): string {
  return /^[\w@%+=:,./-]+$/.test(path) ? path : `'${path.replaceAll("'", `'\\''`)}'`
}
