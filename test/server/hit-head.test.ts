/**
 * Which requests a worker takes: plain ones. All others are the main process's, byte for byte.
 */
import t from 'tap'
import { parsePlainHead } from '../../src/server/hit-head.ts'

const lines = (...all: string[]): string => all.join('\r\n')

t.test('takes what apt, debootstrap and curl send', async (t) => {
  t.same(
    parsePlainHead(
      lines(
        'GET /channels/approved/debian/dists/bookworm/InRelease HTTP/1.1',
        'Host: sluice.example:3142',
        'Cache-Control: max-age=0',
        'Accept: text/*',
        'If-Modified-Since: Sat, 17 May 2025 08:54:08 GMT',
        'User-Agent: Debian APT-HTTP/1.3 (2.6.1)',
      ),
    ),
    {
      method: 'GET',
      url: '/channels/approved/debian/dists/bookworm/InRelease',
      since: 'Sat, 17 May 2025 08:54:08 GMT',
      agent: 'Debian APT-HTTP/1.3 (2.6.1)',
    },
  )
  const wget = lines(
    'HEAD http://archive.example/debian/x.deb HTTP/1.1',
    'Host: archive.example',
    'Accept-Encoding: identity',
    'Connection: Keep-Alive',
  )
  t.match(parsePlainHead(wget), { method: 'HEAD', url: 'http://archive.example/debian/x.deb' })
})

t.test('leaves all else', async (t) => {
  const get = 'GET /x HTTP/1.1'
  const host = 'Host: a'
  const others = [
    '',
    lines('GET /x HTTP/1.0', host),
    lines('POST /x HTTP/1.1', host),
    lines('CONNECT a:443 HTTP/1.1', host),
    lines('get /x HTTP/1.1', host),
    lines('GET  /x HTTP/1.1', host),
    lines('GET /x y HTTP/1.1', host),
    lines('GET /\u00e9 HTTP/1.1', host),
    lines('GET /\0 HTTP/1.1', host),
    lines(`GET /${'x'.repeat(2000)} HTTP/1.1`, host),
    get,
    lines(get, host, host),
    lines(get, host, 'host: b'),
    lines(get, host, 'Range: bytes=0-9'),
    lines(get, host, 'If-Range: x'),
    lines(get, host, 'Authorization: Basic x'),
    lines(get, host, 'Connection: close'),
    lines(get, host, 'Connection: upgrade'),
    lines(get, host, 'Content-Length: 0'),
    lines(get, host, 'Content-Length: 5'),
    lines(get, host, 'Transfer-Encoding: chunked'),
    lines(get, host, 'Transfer-Encoding : chunked'),
    lines(get, host, 'Expect: 100-continue'),
    lines(get, host, 'X-Forwarded-For: 10.0.0.1'),
    lines(get, host, 'Accept: a', ' folded'),
    lines(get, host, 'Accept: a\nContent-Length: 5'),
    lines(get, host, 'Accept: a\rContent-Length: 5'),
    lines(get, host, 'no colon'),
    lines(get, host, ': no name'),
    lines(get, host, 'Accept: \u00ff'),
    lines(get, host, `Accept: ${'x'.repeat(5000)}`),
    `${lines(get, host)}\r\n`,
    ` ${lines(get, host)}`,
    lines('', get, host),
  ]
  for (const text of others) t.equal(parsePlainHead(text), undefined, JSON.stringify(text))
})
