/** What can be wrong with an answer of the mirror for tests: see upstream-server.ts. */
export type Fault =
  | {
      readonly kind: 'status'
      readonly status: number
      readonly body?: string
      readonly headers?: Readonly<Record<string, string>>
    }
  /** Takes the request and never answers. */
  | { readonly kind: 'hang' }
  /** 200 with the login page of a captive portal. */
  | { readonly kind: 'html' }
  /** `to` may be relative; `status` is 302 unless told. */
  | { readonly kind: 'redirect'; readonly to: string; readonly status?: number }
  /** Ends the connection without an answer. */
  | { readonly kind: 'close' }
  /** The right Content-Length, this many bytes of the body, then the connection is gone. */
  | { readonly kind: 'truncate'; readonly bytes: number }
  /** As `truncate`, but the connection stays open and silent. */
  | { readonly kind: 'stall'; readonly bytes: number }
  /** As `stall`, but the rest comes when `until` is fulfilled. */
  | { readonly kind: 'hold'; readonly bytes: number; readonly until: Promise<unknown> }
  /** One bit of the byte at this offset of the file is wrong, in whichever range it is sent. */
  | { readonly kind: 'flip'; readonly offset: number }
  /** One bit somewhere is wrong: where, `draw` says from 0 to 1. */
  | { readonly kind: 'spoil'; readonly draw: () => number }
  /** Content-Length and body are this much longer (or shorter, if negative) than the file; 1 unless told. */
  | { readonly kind: 'wrong-size'; readonly by?: number }
  /** A byte at a time. */
  | { readonly kind: 'trickle'; readonly bytesPerSecond: number }
  /** A steady limit on each response. */
  | { readonly kind: 'rate'; readonly bytesPerSecond: number }
  /** Ignores Range: answers 200 with the whole file. */
  | { readonly kind: 'no-range' }
  /** Chunked: no Content-Length. */
  | { readonly kind: 'chunked' }
  /** More headers, on any answer that sends the file. */
  | { readonly kind: 'headers'; readonly headers: Readonly<Record<string, string>> }
