/**
 * Answers for archives that nobody told this server of: by what was learned of them.
 */
import { withTimeout } from '../base/abortable.ts'
import { AppError } from '../base/errors.ts'
import type { RequestTarget } from '../proxy/request-target.ts'
import { type Exchange, sendText } from './exchange.ts'
import type { FileFront } from './own-files.ts'
import { sendAnswer } from './send.ts'

/** Answers the request, unless it is for what the policy lets nobody ask for: then false. */
export async function answerLearned(
  { parts, doors }: Pick<FileFront, 'parts' | 'doors'>,
  exchange: Exchange,
  target: RequestTarget,
): Promise<boolean> {
  const { request, signal } = exchange
  // Another server like this one, or this one by a name that it does not know for its own: that would go round.
  if (request.headers['user-agent'] === 'sluice') return false
  const address = doors.fronts.clientOf(request) ?? ''
  const { socket, headers } = request
  const reader = headers['x-forwarded-for'] === undefined ? socket : undefined
  const patience = withTimeout(signal, parts.answerWithinMs)
  const answer = await parts.learner
    .resolve(target, { address, reader, signal: patience })
    .catch((error: unknown) => {
      if (!patience.aborted || signal.aborted) throw error
      throw new AppError('ERR_UPSTREAM_TIMEOUT', {
        message: `${target.host}/${target.path} is still on its way: upstream is slow`,
        hint: 'ask again',
        cause: error,
      })
    })
  if (answer === undefined) return false
  if (answer === 'absent') sendText(exchange, 404, 'sluice: the archive does not name that file\n')
  else {
    parts.ready.remember(request.url ?? '', answer)
    await sendAnswer(parts, exchange, answer)
  }
  return true
}
