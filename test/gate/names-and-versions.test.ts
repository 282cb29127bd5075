import { type GateCase, judgeWithApt, judgeWithDose } from '../support/gate-cases.ts'

const cases: readonly GateCase[] = [
  {
    title: 'the interpreter of any architecture, or of the own one, may be another version',
    kept: [
      'script 1; Depends: python:any',
      'native 1; Depends: python:native',
      'named 1; Depends: python:amd64 (>= 1)',
    ],
    removed: ['python 1; Multi-Arch: allowed'],
    added: ['python 2; Multi-Arch: allowed'],
    broken: [],
  },
  {
    title: 'a conflict with a package of any architecture is one with the package',
    kept: ['both 1; Depends: lib | other, picky', 'picky 1; Conflicts: lib:any', 'lib 1'],
    removed: ['other 1'],
    broken: ['both'],
  },
  {
    title: 'an epoch is more than any version, and a tilde less than none',
    kept: [
      'new 1; Depends: lib (>= 2.0)',
      'old 1; Depends: lib (<< 1:2.0)',
      'exact 1; Depends: lib (= 1:2.0~rc1-1)',
    ],
    removed: ['lib 2.0'],
    added: ['lib 1:2.0~rc1-1'],
    broken: [],
  },
  {
    title: 'a candidate is less than its release, and a revision of nothing is as none',
    kept: [
      'release 1; Depends: lib (>= 2.0)',
      'candidate 1; Depends: lib (>= 2.0~)',
      'same 1; Depends: other (= 1.0-0)',
    ],
    removed: ['lib 2.0', 'other 1.0-0'],
    added: ['lib 2.0~rc1', 'other 1.0'],
    broken: ['release'],
  },
  {
    title: 'a name is provided in several versions, and beside the package of that name',
    kept: [
      'two 1; Depends: api (= 2)',
      'three 1; Depends: api (= 3)',
      'four 1; Depends: api (= 4)',
      'api 1',
    ],
    removed: ['api 2', 'api 3', 'api 4'],
    added: ['server 1; Provides: api (= 2), api (= 3)'],
    broken: ['four'],
  },
  {
    title: 'what takes the place of a package provides its name, and breaks its old version alone',
    kept: ['user 1; Depends: libold (>= 1)', 'both 1; Depends: user, libnew'],
    removed: ['libold 1'],
    added: ['libnew 2; Provides: libold (= 2); Breaks: libold (<< 2); Replaces: libold'],
    broken: [],
  },
  {
    title: 'only one of those that provide a name and are in conflict with it is there',
    kept: ['user 1; Depends: exim | postfix', 'both 1; Depends: exim, postfix', 'postfix 1'],
    removed: ['exim 1', 'postfix 1'],
    added: ['exim 2; Provides: mta; Conflicts: mta', 'postfix 2; Provides: mta; Conflicts: mta'],
    broken: [],
  },
  {
    title: 'suites side by side: the older version is good for one, the newer for the other',
    kept: ['lib 1', 'old 1; Depends: lib (<< 2)', 'mix 1; Depends: old, new'],
    removed: ['new 1; Depends: lib'],
    added: ['lib 2', 'new 2; Depends: lib (>= 2)'],
    broken: ['mix'],
  },
  {
    title: 'a circle that a conflict breaks',
    kept: ['user 1; Depends: left | other', 'other 1; Depends: user'],
    removed: ['left 1; Depends: right', 'right 1; Depends: left'],
    added: ['left 2; Depends: right', 'right 2; Depends: left; Breaks: left (>= 2)'],
    broken: ['left', 'right'],
  },
]

judgeWithDose(cases)

/** Where dose-debcheck sees less than a machine does, apt judges. */
const asApt: readonly GateCase[] = [
  {
    title: 'versions are compared for any architecture, too',
    kept: ['script 1; Depends: python:any (>= 3)'],
    removed: ['python 3; Multi-Arch: allowed'],
    added: ['python 2; Multi-Arch: allowed'],
    broken: ['script'],
  },
  {
    title: 'the interpreter of any architecture must be one that allows it',
    kept: ['script 1; Depends: python:any', 'native 1; Depends: python:native'],
    removed: ['python 3; Multi-Arch: allowed'],
    added: ['python 4; Multi-Arch: foreign'],
    broken: ['script'],
  },
  {
    title: 'a library that is there for several architectures breaks what is provided, too',
    kept: ['app 1; Depends: lib, other', 'other 2; Provides: api (= 2)'],
    removed: ['lib 1; Multi-Arch: same'],
    added: ['lib 2; Multi-Arch: same; Breaks: api (<< 3)'],
    broken: ['app'],
  },
]

judgeWithApt(asApt)
