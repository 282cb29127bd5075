/**
 * Requests for files of other servers, in whichever style their client asks: answered for archives that Sluice knows,
 * and refused for all others, so that it is no open proxy.
 */
import type { Answer } from '../archives/answer.ts'
import { AppError } from '../base/errors.ts'
import { hostKey } from '../base/host-key.ts'
import { loginInHeader } from '../proxy/login.ts'
import { hostInPath, parseHostPath, type RequestTarget } from '../proxy/request-target.ts'
import { type Exchange, sendText } from './exchange.ts'
import { answerLearned } from './learned.ts'
import { type FileFront, isOfFiles, sendFile } from './own-files.ts'
import { sendAnswer } from './send.ts'

export interface ProxyFront extends FileFront {
  /** What machines call this server. */
  readonly publicUrl: () => string
}

/** What begins no path of another server, whatever archives there are. */
const ownRoots: ReadonlySet<string> = new Set([
  'api',
  'agent',
  'channels',
  'changelogs',
  'class',
  'client',
  'healthz',
  'metrics',
  'mirror',
  'rpc2',
])

/** Answers a request for a file of another server; undefined is what names none. */
export async function answerProxied(
  front: ProxyFront,
  exchange: Exchange,
  target: RequestTarget | undefined,
): Promise<void> {
  if (target === undefined) {
    return sendText(exchange, 400, 'sluice: that is no URL of an archive\n')
  }
  const { host, path } = target
  const login = target.login ?? loginInHeader(exchange.request.headers.authorization)
  const { headers, socket } = exchange.request
  const reader = headers['x-forwarded-for'] === undefined ? socket : undefined
  const answer = await front.parts.proxy.resolve({ ...target, login, reader })
  ringFor(front, answer)
  if (answer === 'unknown' && isOwnHost(front, exchange, target)) {
    if (await answerOwn(front, exchange, target)) return
  }
  if (answer === 'unknown') {
    if (await answerLearned(front, exchange, { ...target, login })) return
    throw new AppError('ERR_REFUSED', {
      message: `${host}/${path} is not in an archive of this server, and it is no open proxy`,
      hint: `its administrator can add it: sluice archive add NAME http://${host}/…, or let it be learned: learn-hosts`,
    })
  }
  if (answer === 'login') {
    throw new AppError('ERR_UNAUTHORIZED', {
      message: `${host}/${path} is in an archive that wants its login`,
      hint: 'write it into /etc/apt/auth.conf.d as for the archive itself; channels want none',
    })
  }
  if (answer === undefined)
    return sendText(exchange, 404, 'sluice: the archive does not name that file\n')
  front.parts.ready.remember(exchange.request.url ?? '', answer)
  await sendAnswer(front.parts, exchange, answer)
}

/** What can change is looked at behind the back of who asks for it. */
function ringFor({ parts }: ProxyFront, answer: Answer | string | undefined): void {
  if (typeof answer !== 'object' || answer.kind === 'pass') return
  const { archive, isMutable, confirmedAt } = answer
  if (isMutable && archive !== undefined) parts.refreshBehind.ring(archive, confirmedAt)
}

/**
 * A machine whose proxy this server is asks for what it has from us that way too: for channels, and for archives by
 * paths. Nothing else of ours is to be had so.
 */
async function answerOwn(
  front: ProxyFront,
  exchange: Exchange,
  { path, url }: RequestTarget,
): Promise<boolean> {
  const inner = new URL(url).pathname
  if (isOfFiles(path)) await sendFile(front, exchange, path)
  else if (await isOfOthers(front, inner))
    await answerProxied(front, exchange, parseHostPath(inner))
  else return false
  return true
}

/** Whether a path of ours begins with a host. */
export async function isOfOthers(
  { parts }: Pick<ProxyFront, 'parts'>,
  path: string,
): Promise<boolean> {
  const found = hostInPath(path)
  if (found === undefined || ownRoots.has(found.host)) return false
  return found.isPlain || parts.proxy.knowsHost(found.host)
}

function isOwnHost(
  { publicUrl }: ProxyFront,
  { request }: Exchange,
  target: RequestTarget,
): boolean {
  const { localAddress = '', localPort } = request.socket
  const address = localAddress.replace(/^::ffff:/, '')
  const local = `${address.includes(':') ? `[${address}]` : address}:${localPort}`
  const told = URL.parse(publicUrl())
  return [local, ...(told === null ? [] : [told.host])].some((own) => isSameHost(own, target.host))
}

function isSameHost(own: string, host: string): boolean {
  const url = URL.parse(`http://${own}`)
  return url !== null && hostKey(url) === host
}
