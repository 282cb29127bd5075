/**
 * What a machine is told that asks a channel for what it has not: words that help whoever wrote its source line.
 */
import t from 'tap'
import { makeWorld } from '../support/world.ts'

t.test('whatever is not there is told, and what is there instead', async (t) => {
  const { sluice, machine } = await makeWorld(t, [{ name: 'hello', version: '1', arch: 'all' }])
  const get = async (path: string): Promise<string> => {
    const response = await fetch(`${sluice.url}/${path}`)
    return `${response.status} ${await response.text()}`
  }
  const nut = 'archive nut in channel approved'
  const digest = '0'.repeat(64)
  const cases: [path: string, told: string, hint: string | undefined][] = [
    ['channels/', 'this is a directory: which channel?', 'there are testing, approved'],
    ['class/', 'this is a directory: which class?', 'there is no class yet'],
    ['class/lab/nut', 'there is no class lab, or it holds nothing yet', 'there is no class yet'],
    [
      'channels/none/nut/dists',
      'there is no channel none, or it holds nothing yet',
      'there are testing, approved',
    ],
    ['channels/approved', 'this is the directory of channel approved', 'it has nut'],
    [
      'channels/approved/oak/dists/stable/InRelease',
      'channel approved has no archive oak',
      'it has nut',
    ],
    ['channels/approved@1/oak', 'channel approved@1 has no archive oak', 'it has nut'],
    ['channels/approved/nut', `this is a directory of ${nut}`, 'its suites: stable (nut)'],
    ['channels/approved/nut/dists/', `this is a directory of ${nut}`, 'its suites: stable (nut)'],
    ['channels/approved/nut/project', `${nut} has no project`, 'it has dists and pool'],
    [
      'channels/approved/nut/pool/main/h/hello_1_all.deb',
      'a file of the pool is called pool/<2 hex>/<62 hex>/<name>, after its SHA-256',
      undefined,
    ],
    ['channels/approved/nut/dists/sid/InRelease', `${nut} has no suite sid`, 'it has stable (nut)'],
    [
      'channels/approved/nut/dists/stable/main/binary-armhf/Packages.gz',
      `suite stable of ${nut} lists no main/binary-armhf/Packages.gz`,
      'its Release file lists what it has',
    ],
    [
      `channels/approved/nut/dists/nut/main/binary-amd64/by-hash/SHA256/${digest}`,
      `no index of this digest is kept any more in suite stable, ${nut}`,
      'apt-get update asks for a newer one',
    ],
    ['changelogs/', 'that is no path of a changelog', undefined],
    ['channels/approved/nut/%5c', 'that is no path of an archive', undefined],
  ]
  for (const [path, told, hint] of cases)
    t.equal(
      await get(path),
      `404 sluice: ${told}\n${hint === undefined ? '' : `hint: ${hint}\n`}`,
      path,
    )

  const apt = await machine('one', 'approved')
  await apt.setSources(`deb [trusted=yes] ${sluice.url}/channels/approved/nut sid main`)
  t.match((await apt.update()).output, /404 {2}archive nut in channel approved has no suite sid/)
})
