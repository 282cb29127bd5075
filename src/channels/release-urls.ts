/**
 * What a Release tells apt of this server besides the suite: where other generations of it and changelogs are.
 *
 *   Snapshots: http://sluice.example:3142/channels/approved@@SNAPSHOTID@/debian/
 *   Changelogs: http://sluice.example:3142/changelogs/debian/@CHANGEPATH@_changelog
 *
 * apt asks the public services instead where a Release with Origin Debian or Ubuntu has neither: so each is always there,
 * as `no` if need be. apt takes complete URLs only; to that of a snapshot it adds `dists/…` with no slash between.
 * A snapshot is a promise for years, and is told only under the address that the settings name; a changelog is asked for
 * soon, and the address that clients are told today will do. Source: apt 3.1, SnapshotServer and pkgAcqChangelog.
 */

/** By which URLs this server can be reached; no slash at the end. */
export interface OwnAddress {
  /** By the settings. */
  readonly configured?: string | undefined
  /** What clients are told; empty before there is one. */
  readonly told: string
}

/** Where a channel is served, below the root of the server: `channels/approved`; `class/web` for a class. */
export function urlPathOf(channel: string): string {
  return channel.startsWith('class/') ? channel : `channels/${channel}`
}

/** Fields of the Release that a channel (`class/web`: a class) has for an archive. */
export function releaseUrls(
  { configured, told }: OwnAddress,
  channel: string,
  archive: string,
): { readonly snapshots: string; readonly changelogs: string } {
  const path = urlPathOf(channel)
  return {
    snapshots: configured === undefined ? 'no' : `${configured}/${path}@@SNAPSHOTID@/${archive}/`,
    changelogs: told === '' ? 'no' : `${told}/changelogs/${archive}/@CHANGEPATH@_changelog`,
  }
}

/**
 * Whether a Release says of this server what one signed now would say. An address that was only found out may come and go:
 * then it is enough that the fields are there.
 */
export function tellsOwnUrls(
  address: OwnAddress,
  channel: string,
  { archive, release }: { readonly archive: string; readonly release: Buffer },
): boolean {
  const fields = release.toString('latin1', 0, 4096)
  if (address.configured === undefined) return /^Changelogs: /m.test(fields)
  const { snapshots, changelogs } = releaseUrls(address, channel, archive)
  const lines = [`\nSnapshots: ${snapshots}\n`, `\nChangelogs: ${changelogs}\n`]
  return lines.every((line) => fields.includes(line))
}
