import t from 'tap'
import { randomFrom } from '../../bench/random.ts'
import { createWords } from '../../src/gate/words.ts'

t.test('each word has one number, and each number its word', (t) => {
  const random = randomFrom(1)
  const letters = ['a', 'b', '-', '1', 'é', '…', '𝛑', '']
  const words = createWords()
  const known = new Map<string, number>()
  for (let count = 0; count < 20_000; count++) {
    const length = Math.floor(random() * 6)
    const word = Array.from({ length }, () => letters[Math.floor(random() * letters.length)]).join(
      '',
    )
    if (words.find(word) !== known.get(word)) t.fail(`found ${word}`)
    const number = words.number(word)
    if (number !== (known.get(word) ?? known.size)) t.fail(`numbered ${word}`)
    known.set(word, number)
  }
  t.equal(words.size, known.size)
  for (const [word, number] of known) if (words.text(number) !== word) t.fail(`text of ${word}`)
  t.equal(words.find('no such word'), undefined)
  t.equal(words.text(words.size), '')
  t.end()
})
