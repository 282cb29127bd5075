/**
 * What the settings of the server come to: see config.ts.
 */
import type { HostFile, Listen, LogLevel, MailServer } from './setting-readers.ts'

/** What the server is told; frozen to the bottom. */
export interface Config {
  /** As it was said: `./var`; relative to where the program was started. */
  readonly dataDir: string
  readonly listen: Listen
  /** What clients call this server: no slash at the end. Found out from the network if not told. */
  readonly publicUrl?: string | undefined
  /** Whether a first start takes over the machine's own apt sources. */
  readonly importSources: boolean
  readonly refreshMinutes: number
  /** Whether nothing goes out: no request, no look-up of a name. */
  readonly offline: boolean
  /** How many generations each channel keeps at the least. */
  readonly retainGenerations: number
  /** For how many days each channel keeps what it served, at the least. */
  readonly retainDays: number
  /** What the files of the store may take; without it they are never evicted. */
  readonly maxSizeBytes?: number | undefined
  /** What is to stay free of the disk; a part of it if not told (store/disk-reserve.ts). */
  readonly diskReserveBytes?: number | undefined
  /** All that is stored is read again in so many days; 0 is never. */
  readonly scrubDays: number
  /** Networks (CIDR) whose machines are served. */
  readonly clients: readonly string[]
  /** Hosts beside those of archives whose files the proxy hands through: patterns of base/host-patterns.ts. */
  readonly passHosts: readonly string[]
  /** Hosts whose archives are learned when a client asks: such patterns, and the word `any`. */
  readonly learnHosts: readonly string[]
  /** Directory of keyrings that tell who signed what is learned. */
  readonly learnKeyrings?: string | undefined
  /** What the cache by HTTP rules keeps at most. */
  readonly webCacheMb: number
  /** Hosts that CONNECT leads to: such patterns, and the word `archives` for archives with https. */
  readonly tunnelHosts: readonly string[]
  /** Of clients, at a time. */
  readonly maxConnections: number
  /** Processes beside the main one that answer hits. */
  readonly workers: number
  /** Of upstream, at once for one large file; 0 is one. */
  readonly parallelRanges: number
  /** Whether `/api` answers others than this machine. */
  readonly apiRemote: boolean
  /** Where https is spoken, beside `listen`; with the files of certificate and key. */
  readonly tls?:
    | { readonly listen: Listen; readonly cert: string; readonly key: string }
    | undefined
  /** Leads to archives that name no proxy of their own: a URL, with its login. */
  readonly upstreamProxy?: string | undefined
  /** Path of a file with authorities that archives may have, beside those of the system. */
  readonly upstreamCa?: string | undefined
  /** Certificate and key, in one file, that are shown to a host. */
  readonly upstreamCerts: readonly HostFile[]
  /** Path of a directory: what is laid below it, in a folder named as a local archive, is published there. */
  readonly incoming?: string | undefined
  /** Path of the file that takes a line for each answer. */
  readonly accessLog?: string | undefined
  /** Networks (CIDR) of web servers before this one, whose `X-Forwarded-For` is believed. */
  readonly front: readonly string[]
  /** Path, with slashes around, below which such a server finds `blobs/` of the data directory. */
  readonly accelRedirect?: string | undefined
  /** Whether what channels serve is laid out as files for it. */
  readonly frontFiles: boolean
  /** Where avahi-daemon's service files are, if the local network is to be told of this proxy. */
  readonly avahi?: string | undefined
  readonly logLevel: LogLevel
  /** Signs in place of the key files: a program and its first arguments. */
  readonly signCommand?: readonly string[] | undefined
  /** Takes the mails of digests. */
  readonly mailServer?: MailServer | undefined
  readonly mailFrom?: string | undefined
  /** Path of a file with user and password for the mail server, a line each. */
  readonly mailLoginFile?: string | undefined
  /** Path of a file with the secret that webhooks are signed with. */
  readonly webhookSecretFile?: string | undefined
  /** The variables of the process: apt's own proxies may stand there. */
  readonly environment: Readonly<NodeJS.ProcessEnv>
}
