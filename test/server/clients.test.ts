/** Who is served, and who is told that nobody beside the server would be. */
import t from 'tap'
import { privateNetworks } from '../../src/base/setting-readers.ts'
import { clientList, isClient, unservedHost } from '../../src/server/clients.ts'

t.test('private networks are served, others are not, this machine always is', async (t) => {
  const list = clientList(privateNetworks)
  const served = (remoteAddress: string, localAddress = '10.0.0.1'): boolean =>
    isClient(list, { remoteAddress, localAddress })
  t.equal(served('10.1.2.3'), true)
  t.equal(served('::ffff:192.168.7.7'), true)
  t.equal(served('fd00::1'), true)
  t.equal(served('192.0.2.9'), false)
  t.equal(served('::ffff:192.0.2.9'), false)
  t.equal(served('2001:db8::9'), false)
  t.equal(served('192.0.2.9', '192.0.2.9'), true, 'by its own address')
  t.equal(isClient(list, { remoteAddress: undefined }), false, 'a client that is gone')
})

t.test('a server whose own address is in no served network says so', async (t) => {
  t.equal(unservedHost(privateNetworks, 'http://192.0.2.2:3142'), '192.0.2.2')
  t.equal(unservedHost([...privateNetworks, '192.0.2.0/24'], 'http://192.0.2.2:3142'), undefined)
  t.equal(unservedHost(privateNetworks, 'http://10.0.0.5:3142'), undefined)
  t.equal(unservedHost(privateNetworks, 'http://[2001:db8::5]:3142'), '2001:db8::5')
  t.equal(unservedHost(privateNetworks, 'http://sluice.example:3142'), undefined, 'a name')
})
