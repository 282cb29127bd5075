import t from 'tap'
import { doseBroken, gateBroken, newly, stanza } from '../support/dose.ts'

interface Case {
  readonly title: string
  readonly kept?: readonly string[]
  readonly removed?: readonly string[]
  readonly added?: readonly string[]
  readonly broken: readonly string[]
  readonly architecture?: string
}

const app = 'app 1; Depends: lib (= 1)'
const cases: readonly Case[] = [
  {
    title: 'a library that goes on alone breaks who wants just the old one',
    kept: [app, 'user 1; Depends: app'],
    removed: ['lib 1'],
    added: ['lib 2'],
    broken: ['app', 'user'],
  },
  {
    title: 'the library and who wants it go on together',
    removed: [app, 'lib 1'],
    added: ['app 2; Depends: lib (= 2)', 'lib 2'],
    broken: [],
  },
  {
    title: 'a Pre-Depends counts as a Depends',
    kept: ['app 1; Pre-Depends: lib (<< 2)'],
    removed: ['lib 1'],
    added: ['lib 2'],
    broken: ['app'],
  },
  {
    title:
      'another alternative is as good, but not if it is in conflict with what is needed besides',
    kept: ['app 1; Depends: a | b', 'other 1; Depends: a | b, c', 'b 1', 'c 1; Conflicts: b'],
    removed: ['a 1'],
    broken: ['other'],
  },
  {
    title: 'what a new version breaks need not be there with it, but for who needs both',
    kept: ['old 1', 'both 1; Depends: old, lib', 'one 1; Depends: lib'],
    removed: ['lib 1'],
    added: ['lib 2; Breaks: old (<< 2)'],
    broken: ['both'],
  },
  {
    title: 'what stays may have a conflict with the new version',
    kept: ['both 1; Depends: lib, picky', 'picky 1; Conflicts: lib (>= 2)'],
    removed: ['lib 1'],
    added: ['lib 2'],
    broken: ['both'],
  },
  {
    title: 'a name that is provided is there, with a version only if it is provided with one',
    kept: [
      'plain 1; Depends: api',
      'versioned 1; Depends: api (>= 1)',
      'later 1; Depends: api (>= 3)',
    ],
    removed: ['api 3'],
    added: ['new 1; Provides: api (= 2)'],
    broken: ['later'],
  },
  {
    title: 'a name provided without a version is none of the wanted version',
    kept: ['plain 1; Depends: api', 'versioned 1; Depends: api (>= 1)'],
    removed: ['api 3'],
    added: ['new 1; Provides: api'],
    broken: ['versioned'],
  },
  {
    title: 'a package does not conflict with what it provides itself',
    kept: ['user 1; Depends: mta'],
    removed: ['exim 1; Provides: mta; Conflicts: mta'],
    added: ['exim 2; Provides: mta; Conflicts: mta'],
    broken: [],
  },
  {
    title: 'what provides a name is hit by a conflict with that name',
    kept: ['both 1; Depends: exim, postfix', 'postfix 1; Conflicts: mta'],
    removed: ['exim 1'],
    added: ['exim 2; Provides: mta'],
    broken: ['both'],
  },
  {
    title: 'the interpreter of any architecture must be one that allows it, or this one',
    kept: ['script 1; Depends: python:any', 'native 1; Depends: python:native'],
    removed: ['python 1; Multi-Arch: allowed'],
    added: ['python 2; Multi-Arch: allowed'],
    broken: [],
  },
  {
    title: 'who provides a name does it for any architecture only if it is allowed',
    kept: ['script 1; Depends: python:any'],
    removed: ['python3 1; Provides: python; Multi-Arch: allowed'],
    added: ['python3 2; Provides: python; Multi-Arch: foreign'],
    broken: ['script'],
  },
  {
    title: 'a package for another architecture is not there',
    kept: ['app 1; Depends: lib', 'wine 1; Depends: lib:i386'],
    removed: ['lib 1'],
    added: ['lib 2; Architecture: i386'],
    broken: ['app'],
  },
  {
    title: 'packages for all architectures are there on each',
    kept: ['app 1; Architecture: arm64; Depends: data', 'lib 1; Architecture: amd64'],
    removed: ['data 1; Architecture: arm64'],
    added: ['data 2; Architecture: all; Multi-Arch: foreign'],
    architecture: 'arm64',
    broken: [],
  },
  {
    title: 'nothing goes that is in conflict with what is essential',
    kept: ['app 1', 'user 1; Depends: app'],
    removed: ['base 1; Essential: yes'],
    added: ['base 2; Essential: yes; Conflicts: app'],
    broken: ['app', 'user'],
  },
  {
    title: 'an essential package that cannot be installed breaks everything',
    kept: ['app 1', 'data 1; Architecture: all'],
    removed: ['base 1; Essential: yes'],
    added: ['base 2; Essential: yes; Depends: nothing'],
    broken: ['app', 'base', 'data'],
  },
  {
    title: 'what an essential package needs may change, and be in conflict with others',
    kept: ['app 1; Conflicts: two', 'base 1; Essential: yes; Depends: one | two', 'two 1'],
    removed: ['one 1'],
    broken: ['app'],
  },
  {
    title: 'an older version that stays in another suite is enough',
    kept: ['lib 1', 'user 1; Depends: lib'],
    added: ['lib 2; Depends: nothing'],
    broken: [],
  },
  {
    title: 'one of two packages that are alike goes, the other is there',
    kept: ['lib 1', 'user 1; Depends: lib'],
    removed: ['lib 1'],
    broken: [],
  },
  {
    title: 'what is new must be installable; what was broken may stay so',
    kept: ['sad 1; Depends: nothing'],
    removed: ['worse 1; Depends: nothing'],
    added: ['new 1; Depends: missing', 'worse 2; Depends: nothing'],
    broken: ['new'],
  },
  {
    title: 'packages that need each other in a circle',
    kept: ['user 1; Depends: left'],
    removed: ['left 1; Depends: right (= 1)', 'right 1; Depends: left (= 1)'],
    added: ['left 2; Depends: right (= 2)', 'right 2; Depends: left (= 2)'],
    broken: [],
  },
  {
    title: 'a choice that needs looking further than the first alternative',
    kept: [
      'top 1; Depends: a | b, c | d, lib',
      'a 1; Conflicts: c, lib (>= 2)',
      'b 1; Conflicts: d',
      'c 1; Depends: e | f',
      'd 1',
      'e 1; Conflicts: b',
      'f 1; Breaks: lib (>= 2)',
    ],
    removed: ['lib 1'],
    added: ['lib 2'],
    broken: ['top'],
  },
  {
    title: 'many versions of a name, of which one is good',
    kept: [
      ...[1, 2, 3, 4, 5, 6, 7, 8, 9].map((version) => `lib ${version}; Conflicts: app`),
      'app 1; Depends: lib',
      'pair 1; Depends: lib (= 3), lib (= 4)',
    ],
    removed: ['lib 10'],
    added: ['lib 11'],
    broken: [],
  },
]

for (const one of cases) {
  t.test(one.title, async (t) => {
    const [kept, removed, added] = [one.kept, one.removed, one.added].map((list) =>
      (list ?? []).map(stanza),
    )
    const before = [...(kept ?? []), ...(removed ?? [])]
    const after = [...(kept ?? []), ...(added ?? [])]
    const { architecture } = one
    const change = { before, removed: removed ?? [], added: added ?? [] }
    t.same(await gateBroken(change, architecture), one.broken, 'the gate')
    const dir = t.testdir()
    const judged = newly(
      await doseBroken(dir, before, architecture),
      await doseBroken(dir, after, architecture),
    )
    t.same(judged, one.broken, 'dose-debcheck')
  })
}

t.test('versions are compared for any architecture, too, as dpkg does', async (t) => {
  const change = {
    before: ['script 1; Depends: python:any (>= 3)', 'python 3; Multi-Arch: allowed'].map(stanza),
    removed: [stanza('python 3; Multi-Arch: allowed')],
    added: [stanza('python 2; Multi-Arch: allowed')],
  }
  // dose-debcheck does not look at the version here.
  t.same(await gateBroken(change), ['script'])
})
