/**
 * What a worker knows of answers: it asks the main process about each URL once, and keeps what it is told until it is told
 * that it does not hold any more. An answer is given only while the worker is as far as the epoch; the bytes come from the
 * blobs' files, and a file that is gone, or has another length than the main process knows, is none of its.
 */
import type { Answer } from '../archives/answer.ts'
import type { Located } from '../archives/locate.ts'
import { createLru, type Lru } from '../base/lru.ts'
import type { Sha256 } from '../base/sha256.ts'
import { createHotBlobs, type HotBlob, type HotBlobs } from '../store/hot-blobs.ts'
import {
  createReadyAnswers,
  type PassingAnswer,
  type ReadyAnswer,
  type ReadyAnswers,
} from './ready-answers.ts'
import type { ToldAnswer, ToWorker } from './worker-messages.ts'

/** A file to be read, which the caller releases. */
export interface FoundFile extends Omit<ReadyAnswer, 'data'> {
  readonly blob: HotBlob
}

export interface KnownHits {
  /** What is to be had at once for this URL, if that is known to hold. */
  find(url: string): ReadyAnswer | PassingAnswer | undefined
  /** The same with what takes time; undefined for what the main process has to answer. */
  look(url: string): Promise<ReadyAnswer | FoundFile | undefined>
  /** See ready-answers.ts. */
  keepPassing(): () => void
  /** Whether the main process said that it is here. */
  mayWait(url: string): boolean
  /** What the main process says. */
  hear(message: Extract<ToWorker, { kind: 'told' | 'changed' }>): void
}

export interface Side {
  readonly pathOf: (sha256: Sha256) => string
  readonly epoch: () => number
  ask(url: string): void
}

interface State extends Side {
  readonly hot: HotBlobs
  readonly ready: ReadyAnswers
  /** Of blobs' files. */
  readonly sizes: Lru<Sha256, number>
  readonly asked: Map<string, PromiseWithResolvers<void>>
  /** The epoch up to which all was told. */
  heard: number
  news: PromiseWithResolvers<void>
}

const SIZES = 50_000

/** Nothing is known yet. */
export function createKnownHits(side: Side): KnownHits {
  const hot = createHotBlobs(side.pathOf)
  const sizes = createLru<Sha256, number>(SIZES)
  const state: State = {
    ...side,
    hot,
    ready: createReadyAnswers(hot, (sha256, size) => sizes.get(sha256) === size),
    sizes,
    asked: new Map(),
    heard: 0,
    news: Promise.withResolvers(),
  }
  return {
    find: (url) => find(state, url),
    look: (url) => look(state, url),
    keepPassing: state.ready.keepPassing,
    mayWait: (url) => state.ready.known(url) !== undefined,
    hear: (message) => hear(state, message),
  }
}

function find(
  { epoch, heard, ready }: State,
  url: string,
): ReadyAnswer | PassingAnswer | undefined {
  return epoch() > heard ? undefined : (ready.find({ url, headers: {} }) ?? ready.pass(url))
}

async function look(state: State, url: string): Promise<ReadyAnswer | FoundFile | undefined> {
  const { ready, hot, sizes, epoch } = state
  await catchUp(state)
  if (!isTold(state, url)) {
    await ask(state, url)
    await catchUp(state)
  }
  const answer = ready.known(url)
  if (answer?.kind !== 'blob') {
    return epoch() === state.heard ? ready.find({ url, headers: {} }) : undefined
  }
  const blob = await hot.open(answer.sha256)
  if (blob === undefined) return undefined
  const isAsTold = blob.size === sizes.get(answer.sha256) && epoch() === state.heard
  if (!isAsTold) hot.drop(answer.sha256)
  const head = isAsTold ? ready.headFor(url, blob) : undefined
  if (head !== undefined) {
    return blob.data === undefined ? { head, blob, answer } : { head, data: blob.data, answer }
  }
  blob.release()
  return undefined
}

/** Whether the answer is known, and of a file its size: one that went may have come again. */
function isTold({ ready, sizes }: State, url: string): boolean {
  const answer = ready.known(url)
  if (answer?.kind !== 'blob') return answer !== undefined
  return sizes.get(answer.sha256) !== undefined
}

async function catchUp(state: State): Promise<void> {
  while (state.epoch() > state.heard) await state.news.promise
}

/** Asks once, however many want to know. */
function ask({ asked, ask }: State, url: string): Promise<void> {
  const known = asked.get(url)
  if (known !== undefined) return known.promise
  const mine = Promise.withResolvers<void>()
  asked.set(url, mine)
  ask(url)
  return mine.promise
}

function hear(state: State, message: Parameters<KnownHits['hear']>[0]): void {
  const { ready, hot, sizes, asked } = state
  if (message.kind === 'told') {
    const { url, answer } = message
    if (answer?.kind === 'blob') sizes.set(answer.sha256, answer.size)
    if (answer !== undefined) ready.remember(url, lasting(answer))
    asked.get(url)?.resolve()
    asked.delete(url)
    return
  }
  for (const url of message.urls) ready.forget(url)
  for (const sha256 of message.blobs) {
    hot.drop(sha256)
    sizes.delete(sha256)
  }
  state.heard = message.epoch
  state.news.resolve()
  state.news = Promise.withResolvers()
}

/** The worker is told when it holds no longer; what has no file goes to the main process. */
function lasting(answer: ToldAnswer): Answer {
  const holds = (): boolean => true
  if (answer.kind === 'bytes') return { ...answer, data: Buffer.from(answer.data), holds }
  const locate = (): Promise<Located> => Promise.reject(new Error('only the main process fetches'))
  return { ...answer, holds, locate }
}
