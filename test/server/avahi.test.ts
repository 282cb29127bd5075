/**
 * The apt proxy is announced: a real avahi-daemon, in a network of its own, finds the service file, and avahi-browse the
 * proxy.
 */
import { access, mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { run } from '../support/run.ts'
import { startSluice } from '../support/sluice.ts'
import { testDir } from '../support/test-dir.ts'

const settings = `[server]
host-name=cache
use-ipv6=no
allow-interfaces=lo
[wide-area]
enable-wide-area=no
[publish]
publish-workstation=no
`

/** Runs in namespaces of its own: nothing of it reaches the machine's network, its bus or its avahi. */
const script = `set -eu
dir=$1
ip link set lo up
mount --bind "$dir/services" /etc/avahi/services
mkdir -p /run/avahi-daemon
mount -t tmpfs none /run/avahi-daemon
export DBUS_SYSTEM_BUS_ADDRESS="unix:path=/run/avahi-daemon/bus"
dbus-daemon --session --nofork --address="$DBUS_SYSTEM_BUS_ADDRESS" 2>/dev/null &
bus=$!
while [ ! -S /run/avahi-daemon/bus ]; do kill -0 $bus; done
avahi-daemon --no-drop-root --no-chroot --no-rlimits -f "$dir/avahi.conf" 2>"$dir/log" &
avahi=$!
until grep -q 'successfully established' "$dir/log"; do kill -0 $avahi; done
timeout 300 avahi-browse --parsable --resolve --terminate _apt_proxy._tcp
kill $avahi $bus
`

t.test('machines of the local network find the proxy while it runs', async (t) => {
  const dir = testDir(t)
  const services = join(dir, 'services')
  await mkdir(services)
  await writeFile(join(dir, 'avahi.conf'), settings)
  const sluice = await startSluice(join(dir, 'var'), { flags: { avahi: services } })
  t.teardown(() => sluice.close())
  const { port } = new URL(sluice.url)
  const files = await readdir(services)
  t.same(files, [`sluice-${port}.service`])
  const dtd = ['--noout', '--path', '/usr/share/avahi', '--valid']
  t.match(await run('xmllint', [...dtd, join(services, files[0] ?? '')]), { code: 0, stderr: '' })
  const user = process.getuid?.() === 0 ? [] : ['--user', '--map-root-user']
  const spaces = ['--net', '--mount', '--pid', '--fork', '--kill-child']
  const found = await run('unshare', [...user, ...spaces, 'sh', '-c', script, 'sh', dir])
  t.equal(found.code, 0, found.stderr)
  t.match(
    found.stdout,
    new RegExp(
      `^=;lo;IPv4;Sluice\\\\032on\\\\032cache;_apt_proxy._tcp;local;cache.local;127.0.0.1;${port};`,
      'm',
    ),
  )
  await sluice.close()
  t.same(await readdir(services), [])
})

t.test('where there is no avahi, the server goes on', async (t) => {
  const dir = testDir(t)
  const services = join(dir, 'none')
  const flags = { avahi: services, 'log-level': 'silent' }
  const sluice = await startSluice(join(dir, 'var'), { flags })
  t.teardown(() => sluice.close())
  t.equal((await fetch(`${sluice.url}/healthz`)).status, 200)
  await t.rejects(access(services))
})
