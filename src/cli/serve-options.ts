/**
 * The options of `sluice serve`: each setting of base/config.ts as a flag, with what its help says of it.
 */
import type { Command } from 'commander'

/** What commander makes of the flags: by their names, in camel case. */
export type ServeOptions = Readonly<Record<string, string | boolean | undefined>>

const options: readonly (readonly [flags: string, help: string])[] = [
  ['--listen <host:port>', 'where to listen (default: [::]:3142, all addresses)'],
  ['--no-import', "leave this machine's apt sources alone"],
  ['--public-url <url>', 'what clients call this server'],
  ['--refresh-minutes <number>', 'how often to look upstream (default: 60)'],
  ['--offline', 'ask nobody: serve what is here, and nothing else'],
  ['--retain-generations <number>', 'of each channel, the newest ones (default: 100)'],
  ['--retain-days <number>', 'and all that were served so lately (default: 30)'],
  ['--max-size <size>', 'what fetched files may take: 50 GB; older ones that nothing pins go'],
  ['--disk-reserve <size>', 'of the disk, stays free (default: 2 %, 256 MB to 10 GB)'],
  ['--scrub-days <number>', 'in which all that is stored is read again (default: 30; 0: never)'],
  ['--clients <networks>', 'who is served: networks, private, any (default: private)'],
  ['--pass-hosts <hosts>', 'hosts that are no archives, handed through (default: none)'],
  ['--learn-hosts <hosts>', 'whose archives are learned: hosts, any, none (default: any)'],
  ['--learn-keyrings <dir>', 'keyrings that tell who signed what is learned'],
  ['--web-cache-mb <number>', 'room for what nothing verifies (default: 2048; 0 keeps none)'],
  ['--tunnel-hosts <hosts>', 'where CONNECT leads to (default: archives, those with https)'],
  ['--max-connections <number>', 'of clients, at a time (default: 4096)'],
  ['--workers <number>', 'processes that answer hits, beside the main one (default: 0)'],
  ['--parallel-ranges <number>', 'parts at once of files above 32 MiB (default: 0, as a whole)'],
  ['--api-remote', 'let the API answer other machines: put TLS in front'],
  ['--tls-listen <host:port>', 'where to listen for https, too'],
  ['--tls-cert <file>', 'the certificate for it and those above it, in PEM'],
  ['--tls-key <file>', 'its private key, in PEM'],
  ['--upstream-proxy <url>', 'leads to archives that name none themselves'],
  ['--upstream-ca <file>', 'authorities that archives may have, beside those of the system'],
  ['--upstream-certs <host=file>', 'certificate and key that are shown to a host, in PEM'],
  ['--incoming <dir>', 'packages laid in DIR/ARCHIVE are published to that local archive'],
  ['--access-log <file>', 'every answer, in common log format; anew after SIGHUP'],
  ['--front <networks>', 'web servers in front, whose X-Forwarded-For is believed'],
  ['--accel-redirect <path>', 'where a front finds our files: they are sent by it'],
  ['--front-files', 'lay out what channels serve for a web server in front'],
  ['--avahi [dir]', 'tell the local network of this apt proxy, by avahi'],
  ['--sign-command <command>', 'a program that signs in place of the key files'],
  ['--mail-server <url>', 'smtp://HOST:PORT or smtps://HOST:PORT, for digests'],
  ['--mail-from <address>', 'the address that digests come from'],
  ['--mail-login-file <file>', 'user and password for the mail server, a line each'],
  ['--webhook-secret-file <file>', 'the secret that webhooks are signed with'],
  ['--log-level <level>', 'trace, debug, info, warn, error, silent (default: warn)'],
]

/** Adds them to the command. */
export function addServeOptions(command: Command): Command {
  for (const [flags, help] of options) command.option(flags, help)
  return command
}

/** The flags as settings are called; what was not told is left out. */
export function flagsOf(
  told: ServeOptions,
  data: string | undefined,
): Record<string, string | boolean | undefined> {
  const flags: Record<string, string | boolean | undefined> = { data }
  for (const [name, value] of Object.entries(told)) {
    // commander knows only `--no-import`: true is what it says when nothing was told.
    if (name === 'import' && value === true) continue
    flags[name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)] = value
  }
  return flags
}
