/** Which addresses are inside: of all registries for special purposes, and in every way to write them. */
import t from 'tap'
import { isPublicAddress } from '../../src/base/public-address.ts'

t.test('addresses inside are told from those of the internet', async (t) => {
  const inside = [
    ...['0.0.0.0', '127.0.0.1', '127.255.255.254', '10.1.2.3', '172.16.0.1', '172.31.255.255'],
    ...['192.168.1.1', '169.254.169.254', '100.64.0.1', '100.127.255.255', '198.18.0.1'],
    ...['192.0.0.1', '224.0.0.251', '255.255.255.255', '240.0.0.1'],
    ...['::', '::1', '::7f00:1', 'fe80::1', 'febf::1', 'fc00::1', 'fd12:3456::1', 'fec0::1'],
    ...['ff02::1', '::ffff:127.0.0.1', '::ffff:a9fe:a9fe', '64:ff9b::10.0.0.1', '64:ff9b:1::1'],
    ...['2002:7f00:1::', '2002:c0a8:101::1'],
  ]
  const outside = [
    ...['9.255.255.255', '11.0.0.1', '172.15.0.1', '172.32.0.1', '100.63.0.1', '100.128.0.1'],
    ...['169.253.1.1', '192.169.0.1', '198.20.0.1', '223.255.255.255', '151.101.2.132'],
    ...['2a04:4e42::644', '::ffff:151.101.2.132', '64:ff9b::151.101.2.132', '2002:9765:284::1'],
  ]
  for (const address of inside) t.equal(isPublicAddress(address), false, address)
  for (const address of outside) t.equal(isPublicAddress(address), true, address)
  for (const text of ['', 'localhost', '127.1', '0x7f.1', '1.2.3', 'fe80::1%lo', '1.2.3.4/8']) {
    t.equal(isPublicAddress(text), false, text)
  }
})
