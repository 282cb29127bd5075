/** Entries of `Translation-en`, and which of them a package's stanza means: apt-cache says the same. */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { splitStanzas } from '../../src/debian/control.ts'
import { descriptionMd5Of, readTranslationEntry } from '../../src/debian/translation-index.ts'
import { runOk } from '../support/run.ts'
import { testDir } from '../support/test-dir.ts'
import { drawFrom, newSeed, readRealIndex } from './real-index.ts'

const md5 = '0123456789abcdef'.repeat(2)

t.test('an entry is known by its package and the MD5 of the English text', async (t) => {
  const buf = Buffer.from(
    `Package: g++\nDescription-md5: ${md5.toUpperCase()}\nDescription-de: x\n y\n`,
  )
  t.same(readTranslationEntry(buf, { start: 0, end: buf.length }), {
    name: 'g++',
    descriptionMd5: md5,
  })
  for (const bad of [
    `Description-md5: ${md5}\n`,
    'Package: g++\nDescription-de: x\n',
    `Package: a/b\nDescription-md5: ${md5}\n`,
    `Package: g++\nDescription-md5: ${md5.slice(1)}\n`,
    `Package: g++\nPackage: g\nDescription-md5: ${md5}\n`,
  ])
    t.throws(
      () => readTranslationEntry(Buffer.from(bad), { start: 0, end: bad.length }),
      { code: 'ERR_FORMAT' },
      bad,
    )
})

t.test('a stanza that carries its whole description has the MD5 that apt gives it', async (t) => {
  const seed = newSeed()
  t.comment(`SLUICE_SEED=${seed}`)
  const draw = drawFrom(seed)
  const words = ['one', 'zwei', 'trés', '.', '  * point', 'tab\there', 'trailing blank ']
  const stanzas = Array.from({ length: 30 }, (_, at) => {
    const lines = Array.from({ length: draw(5) }, () => ` ${words[draw(words.length)]}`)
    const description = ['Description:   short words', ...lines].join('\n')
    const head = `Package: p${at}\nVersion: 1\nArchitecture: all\nMaintainer: x <x@archive.example>`
    return `${head}\n${description}\nFilename: pool/p${at}.deb\nSize: 1\nSHA256: ${'a'.repeat(64)}\n`
  })
  const dir = testDir(t)
  for (const name of ['lists/partial', 'cache', 'a'])
    await mkdir(join(dir, name), { recursive: true })
  await writeFile(join(dir, 'a/Packages'), stanzas.join('\n'))
  await writeFile(join(dir, 'status'), '')
  await writeFile(join(dir, 'sources.list'), `deb [trusted=yes] file:${join(dir, 'a')} ./\n`)
  const config = {
    'Dir::State::lists': join(dir, 'lists'),
    'Dir::State::status': join(dir, 'status'),
    'Dir::Cache': join(dir, 'cache'),
    'Dir::Etc::sourcelist': join(dir, 'sources.list'),
    'Dir::Etc::sourceparts': '/dev/null',
    'APT::Sandbox::User': 'root',
  }
  const options = Object.entries(config).flatMap(([name, value]) => ['-o', `${name}=${value}`])
  await runOk('apt-get', [...options, 'update'])
  const names = stanzas.map((_, at) => `p${at}`)
  const { stdout } = await runOk('apt-cache', [...options, 'show', ...names])
  const judged = [...stdout.matchAll(/^Description-md5: (\S+)$/gm)].map((match) => match[1])
  t.equal(judged.length, stanzas.length)
  t.same(
    stanzas.map((text) => Buffer.from(text)).map((buf) => descriptionMd5Of(buf, 0, buf.length)),
    judged,
  )
})

t.test('every stanza of the real index tells its Description-md5', async (t) => {
  const buf = await readRealIndex()
  const places = splitStanzas(buf)
  const found = new Set<string>()
  for (let at = 0; at < places.length; at += 2)
    found.add(descriptionMd5Of(buf, places[at] ?? 0, places[at + 1] ?? 0) ?? '')
  const told = buf.toString('latin1').matchAll(/^Description-md5: (\S+)$/gm)
  t.same(found, new Set([...told].map((match) => match[1])))
})
