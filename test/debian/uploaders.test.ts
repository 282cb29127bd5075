/** Who may upload what, by the rules of an archive. */
import t from 'tap'
import { matchesPatterns, mayUpload, type UploaderRule } from '../../src/debian/uploaders.ts'

const [alice, bob] = ['A'.repeat(40), 'B'.repeat(40)]
const rules: UploaderRule[] = [
  { keys: [alice], sources: ['acme-*', '!acme-secret'], suites: ['unstable'] },
  { keys: [bob], sources: ['*'], packages: ['acme-*'], architectures: ['all', 'source'] },
]
const upload = {
  signers: [{ fingerprint: alice }],
  ...{ source: 'acme-web', packages: ['acme-web', 'libc6'], suite: 'unstable' },
  architectures: ['amd64'],
}

t.test('a key may upload what one rule allows, and nothing else', (t) => {
  t.match(mayUpload(rules, upload), { kind: 'allowed', fingerprint: alice, rule: rules[0] })
  const refused = (request: Partial<typeof upload>, why: RegExp): void => {
    t.match(mayUpload(rules, { ...upload, ...request }), { kind: 'refused', why })
  }
  refused({ source: 'other' }, /may not upload the source other$/)
  refused({ source: 'acme-secret' }, /may not upload the source acme-secret$/)
  refused({ suite: 'stable' }, /may not upload to the suite stable$/)
  refused({ signers: [{ fingerprint: 'C'.repeat(40) }] }, /no rule names a key/)
  refused({ signers: [] }, /no rule names a key/)
  const byBob = { signers: [{ fingerprint: bob }] }
  refused(byBob, /may not upload the package libc6$/)
  refused({ ...byBob, packages: ['acme-web'] }, /may not upload for the architecture amd64$/)
  const both = { ...upload, signers: [...byBob.signers, ...upload.signers] }
  t.match(mayUpload(rules, both), { kind: 'allowed', fingerprint: alice })
  t.match(mayUpload([], upload), { kind: 'refused' })
  t.end()
})

t.test('a star stands for any run of characters, nothing else is special', (t) => {
  const yes = [
    ['a', 'a'],
    ['', '*'],
    ['abc', 'a*c'],
    ['ac', 'a*c'],
    ['abcbc', 'a*bc'],
    ['a+b', 'a+b'],
  ]
  const no = [
    ['ab', 'a'],
    ['ab', 'b'],
    ['ac', 'a*b*c'],
    ['aab', 'aab*b'],
    ['ab', 'a.'],
    ['a', ''],
  ]
  for (const [name = '', pattern = ''] of yes) t.ok(matchesPatterns(name, [pattern]), pattern)
  for (const [name = '', pattern = ''] of no) t.notOk(matchesPatterns(name, [pattern]), pattern)
  t.notOk(matchesPatterns('a', ['!b']), 'what is not taken away is not allowed by that')
  t.notOk(matchesPatterns('a'.repeat(5000), [`${'a*'.repeat(2000)}b`]), 'in no time')
  t.end()
})
