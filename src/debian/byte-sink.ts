/**
 * Bytes that are put one behind the other into memory that is used again and again: what is made of a hundred thousand
 * stanzas leaves no garbage but the texts that are taken out.
 */

export interface ByteSink {
  /** Bytes put so far; setting it to less takes back those behind. */
  used: number
  /** Puts the bytes of `from` between these places. */
  copy(from: Buffer, start: number, end: number): void
  /** Puts text as UTF-8. */
  text(text: string): void
  /** What was put from `start` on; valid until more is put. */
  view(start: number): Buffer
  /** A copy of all, after which the sink is empty. */
  take(): Buffer
}

const FIRST_BYTES = 64 * 1024

/** An empty sink. */
export function createByteSink(): ByteSink {
  let memory = Buffer.allocUnsafeSlow(FIRST_BYTES)
  const sink: ByteSink = {
    used: 0,
    copy: (from, start, end) => {
      need(end - start)
      sink.used += from.copy(memory, sink.used, start, end)
    },
    text: (text) => {
      // No character takes more than three bytes.
      need(3 * text.length)
      sink.used += memory.write(text, sink.used)
    },
    view: (start) => memory.subarray(start, sink.used),
    take: () => {
      const whole = Buffer.allocUnsafeSlow(sink.used)
      memory.copy(whole, 0, 0, sink.used)
      sink.used = 0
      return whole
    },
  }
  const need = (count: number): void => {
    if (sink.used + count <= memory.length) return
    const larger = Buffer.allocUnsafeSlow(2 * (sink.used + count))
    memory.copy(larger, 0, 0, sink.used)
    memory = larger
  }
  return sink
}
