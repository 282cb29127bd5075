/**
 * `/changelogs/…`: what apt asks for by the template in our Releases.
 */
import { type Answer, digestTime } from '../archives/answer.ts'
import { type Changelogs, parseChangelogPath } from '../archives/changelogs.ts'
import { type Abortable, withTimeout } from '../base/abortable.ts'
import { AppError } from '../base/errors.ts'
import { sha256Of } from '../base/sha256.ts'

/** The answer to a decoded path below `/changelogs/`; undefined for what names no changelog. */
export async function changelogAnswer(
  parts: { readonly changelogs: Changelogs; readonly answerWithinMs: number },
  path: string,
  { signal }: Abortable,
): Promise<Answer | undefined> {
  const name = parseChangelogPath(path)
  if (name === undefined) return undefined
  const patience = withTimeout(signal, parts.answerWithinMs)
  try {
    const data = await parts.changelogs.read(name, { signal: patience })
    const type = 'text/plain; charset=utf-8'
    return { kind: 'bytes', data, type, modifiedAt: digestTime(sha256Of(data)), isMutable: true }
  } catch (error) {
    if (!patience.aborted || signal?.aborted === true) throw error
    throw new AppError('ERR_UPSTREAM_TIMEOUT', {
      message: `the changelog of ${name.source} ${name.version} is still being read`,
      hint: 'ask again: the reading goes on',
    })
  }
}
