/**
 * Places of the file system whose files make a machine do something, or let somebody do something: where units, timers,
 * cron jobs, rules and keys lie (systemd.unit(5), cron(8), udev(7), sudoers(5), dbus-daemon(1), polkit(8), pam.d(5),
 * modprobe.d(5), sysctl.d(5), sources.list(5)).
 *
 * The table is what an administrator looks at first when a package changes. Paths are below the root, without a leading
 * slash, and in the form that a merged /usr gives them (`mergedPath`): `lib/udev` is `usr/lib/udev`.
 */

/** What a file at such a place is. */
export type PlaceKind =
  | 'apt'
  | 'sudo'
  | 'pam'
  | 'polkit'
  | 'preload'
  | 'generator'
  | 'socket'
  | 'timer'
  | 'unit'
  | 'init script'
  | 'cron'
  | 'inetd'
  | 'dbus'
  | 'udev'
  | 'modules'
  | 'sysctl'
  | 'apparmor'
  | 'accounts'
  | 'tmpfiles'
  | 'hook'
  | 'profile'

const table: readonly (readonly [kind: PlaceKind, path: RegExp])[] = [
  ['apt', /^etc\/apt\/(sources\.list|trusted\.gpg)(\.d\/.+)?$/],
  ['apt', /^etc\/apt\/(apt\.conf|preferences|auth\.conf)(\.d\/.+)?$/],
  ['apt', /^(etc\/apt|usr\/share)\/keyrings\/.+/],
  ['sudo', /^etc\/(sudoers|sudoers\.d\/.+|doas\.conf)$/],
  ['pam', /^(etc\/pam\.d|usr\/lib\/pam\.d|usr\/share\/pam-configs)\/.+/],
  ['pam', /^usr\/lib\/([^/]+\/)?security\/pam_[^/]+\.so$/],
  ['polkit', /^(etc|usr\/share)\/polkit-1\/(rules\.d|actions|localauthority)\/.+/],
  ['preload', /^etc\/(ld\.so\.preload|ld\.so\.conf|ld\.so\.conf\.d\/.+)$/],
  ['generator', /^(etc|usr\/lib)\/systemd\/(system|user)(-environment)?-generators\/.+/],
  ['socket', /^(etc|usr\/lib)\/systemd\/(system|user)\/(.+\/)?[^/]+\.socket$/],
  ['timer', /^(etc|usr\/lib)\/systemd\/(system|user)\/(.+\/)?[^/]+\.timer$/],
  ['unit', /^(etc|usr\/lib)\/systemd\/(system|user)\/.+/],
  ['unit', /^(etc|usr\/lib)\/systemd\/(system|user)-preset\/.+/],
  ['init script', /^etc\/(init\.d|rc[0-6S]\.d)\/.+/],
  ['cron', /^etc\/(crontab|anacrontab|cron\.(d|hourly|daily|weekly|monthly|yearly)\/.+)$/],
  ['cron', /^var\/spool\/cron\/crontabs\/.+/],
  ['inetd', /^etc\/(inetd\.conf|xinetd\.conf|xinetd\.d\/.+)$/],
  ['dbus', /^(etc|usr\/share)\/dbus-1\/(system|session)\.d\/.+/],
  ['dbus', /^usr\/share\/dbus-1\/(system-)?services\/.+/],
  ['udev', /^(etc|usr\/lib)\/udev\/(rules|hwdb)\.d\/.+/],
  ['modules', /^(etc|usr\/lib)\/(modprobe|modules-load)\.d\/.+/],
  ['modules', /^etc\/modules$/],
  ['sysctl', /^(etc|usr\/lib)\/sysctl(\.d\/.+|\.conf)$/],
  ['apparmor', /^etc\/apparmor\.d\/.+/],
  ['accounts', /^(etc|usr\/lib)\/sysusers\.d\/.+/],
  ['tmpfiles', /^(etc|usr\/lib)\/tmpfiles\.d\/.+/],
  ['hook', /^etc\/network\/if-(pre-up|up|down|post-down)\.d\/.+/],
  [
    'hook',
    /^etc\/(kernel\/.+|dhcp\/dhclient-(enter|exit)-hooks\.d\/.+|NetworkManager\/dispatcher\.d\/.+)/,
  ],
  ['hook', /^(etc|usr\/share)\/initramfs-tools\/(hooks|scripts|conf\.d)\/.+/],
  ['profile', /^etc\/(profile|bash\.bashrc|environment|profile\.d\/.+|X11\/Xsession\.d\/.+)$/],
]

const beginnings = /^(etc|var\/spool\/cron|usr\/lib|usr\/share)\//

/** What the file at this path (merged) is; undefined for a place where files do nothing by themselves. */
export function placeKind(path: string): PlaceKind | undefined {
  if (!beginnings.test(path)) return undefined
  return table.find(([, place]) => place.test(path))?.[0]
}

/** The path on a machine whose `/bin`, `/sbin` and `/lib…` are links into `/usr` (Policy 10.1). */
export function mergedPath(path: string): string {
  return /^(bin|sbin|lib(32|64|x32|o32)?)\//.test(path) ? `usr/${path}` : path
}
