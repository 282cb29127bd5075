import t from 'tap'
import { readToml, tomlComment, tomlHeader, tomlLines } from '../../src/base/toml.ts'
import type { TomlPath } from '../../src/base/toml-lines.ts'

function lines(text: string, ...paths: TomlPath[]): (number | undefined)[] {
  const read = readToml(text)
  return paths.map((path) => ('root' in read ? read.lineOf(path) : undefined))
}

t.test('each key has the line that it stands in', async (t) => {
  const text = `# a comment with [brackets] = "x"
top = 1

[archive."a.b"] # more
urls = [ # the first
  "http://a.example/#x", 'http://b.example/]',

  "c",
]
keyring = '''
[no.header]
key = "neither"
'''
  escaped = "a \\" ] [x] # y"
long = """
a = 1 \\"""
"""""
point = { x = 1, y = [2, { z = 3 }] }
a.b . "c d".e = 2026-12-01T00:00:00Z

[[hold]]
source = "x"
[[hold]]
[hold.more]
why = 'y'
[[hold.list]]
n = 1
[archive]
`
  t.same(
    lines(
      text,
      ['top'],
      ['archive', 'a.b'],
      ['archive', 'a.b', 'urls'],
      ['archive', 'a.b', 'urls', 0],
      ['archive', 'a.b', 'urls', 1],
      ['archive', 'a.b', 'urls', 2],
      ['archive', 'a.b', 'keyring'],
      ['archive', 'a.b', 'escaped'],
      ['archive', 'a.b', 'point', 'y', 1, 'z'],
      ['archive', 'a.b', 'a', 'b', 'c d', 'e'],
      ['hold', 0, 'source'],
      ['hold', 1],
      ['hold', 1, 'more', 'why'],
      ['hold', 1, 'list', 0, 'n'],
    ),
    [2, 4, 5, 6, 6, 8, 10, 14, 18, 19, 22, 23, 25, 27],
  )
})

t.test('what is not there is where what it should be in is', async (t) => {
  const text = '\n[a]\n[a.b]\nc = 1\n'
  t.same(lines(text, ['a', 'b', 'none'], ['a', 'x'], ['y'], []), [3, 2, 1, 1])
})

t.test('lines are found with CRLF, a byte order mark, and without an end of line', async (t) => {
  t.same(lines('\ufeffa = 1\r\n[b]\r\nc = "x"\r\nd = 1', ['a'], ['b', 'c'], ['b', 'd']), [1, 3, 4])
})

t.test('all broken statements are told, and the rest of one is none of its own', async (t) => {
  const told = (text: string): unknown => {
    const read = readToml(text)
    return 'faults' in read ? read.faults.map(({ line }) => line) : read
  }
  const many =
    '[a]\nx = 1\nx = 2\ny =\nz = oops\n[a]\nlist = [1,\n  oops,\n  4]\nlast = 1979-13-01\n'
  t.same(told(many), [3, 4, 5, 6, 8, 10])
  t.same(told('a = 1\n[b\nc = [1, 2\nd = 2\ne = 3\nf = 4\n'), [2, 4], 'a list without its end')
  t.same(told("a = \ng = '''\nabcdef==\nghi\n"), [1, 2], 'text without its end')
  const read = readToml('a = \n')
  t.same(read, { faults: [{ line: 1, message: 'invalid value' }] })
})

t.test('what is written is read back', async (t) => {
  const values: Record<string, string | number | boolean | string[]> = {
    plain: 'x',
    'odd "key".\n': 'quotes " \\ \t and \u0001 \u007f é 🦆',
    block: '-----BEGIN\n\nabc=\n-----END\n',
    'bad-block': "'''\nx\n",
    bell: 'a\u0007\n',
    yes: true,
    count: 12,
    none: [],
    list: ['a', 'b'],
    'long-list': Array.from({ length: 20 }, (_, nth) => `http://mirror${nth}.example/"x"`),
  }
  const text = [
    tomlComment('a comment\nkey = 1'),
    tomlHeader(['a', 'b.c', '']),
    ...Object.entries(values).flatMap(([key, value]) => tomlLines(key, value)),
  ].join('\n')
  const read = readToml(text)
  t.same('root' in read ? JSON.parse(JSON.stringify(read.root)) : read, {
    a: { 'b.c': { '': values } },
  })
  t.equal(text.split('\n')[0], '# a comment?key = 1')
  t.match(text, /^block = '''\n-----BEGIN\n\nabc=\n-----END\n'''$/m)
  t.match(text, /^long-list = \[\n {2}"http/m)
})
