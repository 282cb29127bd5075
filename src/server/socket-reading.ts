/**
 * Whether a socket is read. Node reads on for a while when one is paused, and takes note of its end, which can then not be given to
 * whoever has the socket next: what is stopped here leaves all of that with the kernel.
 */
import type { Socket } from 'node:net'

/** Nothing is read from now on. */
export function stopReading(socket: Socket): void {
  socket.pause()
  setReading(socket, false)
}

/** Goes on. */
export function startReading(socket: Socket): void {
  setReading(socket, true)
  socket.resume()
}

/** What was read already and given to nobody, of a socket that is not read now. */
export function takeUnread(socket: Socket): Buffer[] {
  const pieces: Buffer[] = []
  for (let piece: unknown = socket.read(); piece !== null; piece = socket.read()) {
    if (Buffer.isBuffer(piece)) pieces.push(piece)
  }
  return pieces
}

const nothing = (): void => undefined

/** As the socket itself does it, which would begin anew with the next look into its buffer. */
function setReading(socket: Socket, isReading: boolean): void {
  if (isReading) Reflect.deleteProperty(socket, '_read')
  else Reflect.set(socket, '_read', nothing)
  const handle: unknown = Reflect.get(socket, '_handle')
  if (typeof handle !== 'object' || handle === null) return
  if (Reflect.get(handle, 'reading') === isReading) return
  Reflect.set(handle, 'reading', isReading)
  const change: unknown = Reflect.get(handle, isReading ? 'readStart' : 'readStop')
  if (typeof change === 'function') Reflect.apply(change, handle, [])
}
