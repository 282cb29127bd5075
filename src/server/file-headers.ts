/**
 * The headers that every file is sent with, whether it is a hit out of memory, a part of a large file, or still on its way.
 */
import type { Lasting } from '../archives/answer.ts'
import type { Clock } from '../base/clock.ts'
import { ageOf, type Validator } from './conditions.ts'

/** What is told of a file. */
export interface FileHead extends Validator {
  readonly type: string
}

const IMMUTABLE = 'public, max-age=31536000, immutable'
const MUTABLE = 'no-cache'

/** Headers of all answers that give the file, or say that the client has it. */
export function headersOf(file: FileHead, outcome: 'hit' | 'miss'): Record<string, string> {
  return {
    'Last-Modified': file.lastModified,
    'Cache-Control': file.isMutable ? MUTABLE : IMMUTABLE,
    'X-Cache': outcome.toUpperCase(),
    ...(file.isMutable ? {} : { 'Accept-Ranges': 'bytes' }),
  }
}

/** Headers of the body, besides those: of a file or of so many bytes of it. */
export function bodyHeaders({
  type,
  size,
}: Pick<FileHead, 'type' | 'size'>): Record<string, string> {
  return { 'Content-Type': type, 'Content-Length': String(size) }
}

/** How old it is, of what can change. */
export function ageHeader({ confirmedAt }: Lasting, clock: Clock): { Age?: string } {
  return confirmedAt === undefined ? {} : { Age: ageOf(confirmedAt, clock) }
}
