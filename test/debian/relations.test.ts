import t from 'tap'
import {
  isVersionWanted,
  parseRelations,
  type Relation,
  splitClauses,
  type VersionOperator,
} from '../../src/debian/relations.ts'
import { run, runOk } from '../support/run.ts'
import { findRealIndex } from './real-index.ts'

const bare = (field: string): object[] =>
  parseRelations(field).map((clause) =>
    clause.map((one) => Object.fromEntries(Object.entries(one).filter(([, value]) => value))),
  )

t.test('a field is clauses of alternatives, with versions and architectures', async (t) => {
  t.same(bare('libc6 (>= 2.34), mta | mail-transport-agent,python3:any (<<3.12)'), [
    [{ name: 'libc6', operator: '>=', version: '2.34' }],
    [{ name: 'mta' }, { name: 'mail-transport-agent' }],
    [{ name: 'python3', qualifier: 'any', operator: '<<', version: '3.12' }],
  ])
  t.same(bare('a(=1:2-3~x+b1)|b:amd64'), [
    [
      { name: 'a', operator: '=', version: '1:2-3~x+b1' },
      { name: 'b', qualifier: 'amd64' },
    ],
  ])
})

t.test('what archives hold besides is read: old operators, line ends, empty clauses', async (t) => {
  t.same(bare('a (< 1), b (> 2),, \n c\t(>= 3)\n ,'), [
    [{ name: 'a', operator: '<=', version: '1' }],
    [{ name: 'b', operator: '>=', version: '2' }],
    [{ name: 'c', operator: '>=', version: '3' }],
  ])
  t.same(bare('a [amd64 i386], b (>= 1) <!nocheck>'), [
    [{ name: 'a' }],
    [{ name: 'b', operator: '>=', version: '1' }],
  ])
  t.same(bare(''), [])
})

t.test('what cannot be read is a relation to what no package can be', async (t) => {
  t.same(bare('a (>= 1, b'), [[{ name: 'a (>= 1' }], [{ name: 'b' }]])
  t.same(bare('%{shlibs} | c'), [[{ name: '%{shlibs}' }, { name: 'c' }]])
})

t.test('versions are compared as dpkg does', async (t) => {
  const versions = ['1.0', '1.0-0', '1.0~rc1', '1:0.5', '1.0-1', '2']
  const operators: readonly (readonly [VersionOperator, string])[] = [
    ['<<', 'lt'],
    ['<=', 'le'],
    ['=', 'eq'],
    ['>=', 'ge'],
    ['>>', 'gt'],
  ]
  for (const version of versions) {
    for (const [operator, word] of operators) {
      const { code } = await run('dpkg', ['--compare-versions', version, word, '1.0'])
      t.equal(isVersionWanted(version, operator, '1.0'), code === 0, `${version} ${operator} 1.0`)
    }
  }
  t.ok(isVersionWanted('0', undefined, ''))
})

t.test('every relation of a real index is read', async (t) => {
  const { stdout } = await runOk('/usr/lib/apt/apt-helper', ['cat-file', await findRealIndex()])
  const fields = stdout.match(/^(?:Pre-Depends|Depends|Conflicts|Breaks|Provides): .+$/gm) ?? []
  const odd: Relation[] = []
  let clauses = 0
  for (const field of fields) {
    const text = field.slice(field.indexOf(':') + 1)
    clauses += splitClauses(text).length
    odd.push(...parseRelations(text).flatMap((one) => one.filter(({ name }) => / |\(/.test(name))))
  }
  t.ok(clauses > fields.length)
  t.same(odd, [])
})
