import type { IncomingMessage } from 'node:http'
import type { ServerHttp2Stream } from 'node:http2'
import type { Guard, Holder } from '../guard'
import { kBody, kPush } from '../symbols'

/** Hears a request's body as it is received. */
export interface BodyListener extends Holder {
  readonly guard: Guard
  /** The next listener of the same request. Only the tap sets it. */
  nextListener: BodyListener | null
  onBodyData (chunk: Buffer): void
  onBodyEnd (): void
}

type MaybeHttp2 = IncomingMessage & { stream?: ServerHttp2Stream }
interface Tapped extends IncomingMessage {
  _readableState: { buffer: Iterable<Buffer>, ended: boolean }
  [kBody]?: BodyListener | null
  [kPush]: (chunk: unknown, encoding?: BufferEncoding) => boolean
}

/**
 * Lets `listener` hear the raw body of a request, whoever reads it and however.
 *
 * The HTTP parser hands each piece to the request by its `push`, which is observed by shadowing it. A 'data' listener,
 * even one that does not start the flow, would: hear bytes twice that a reader peeked at and unshifted; hear text after
 * `setEncoding`; and start the flow, losing bytes for the primary, when somebody's 'readable' listener is removed.
 *
 * A request may be routed twice, and so be tapped twice: `push` is shadowed once, for all who listen, whoever else has
 * shadowed it meanwhile.
 *
 * What came before, while a hook of another plugin took its time, is told at once.
 * @returns `false`: somebody has taken of the body already, and nothing is heard of it.
 */
export function tapRequestBody (raw: IncomingMessage, listener: BodyListener): boolean {
  const received = receivedOf(raw)
  if (received === null) return false
  const tapped = raw as Tapped
  if (tapped[kPush] === undefined) {
    const { push } = tapped
    tapped.push = observedPush
    tapped[kPush] = push
  }
  listener.nextListener = tapped[kBody] ?? null
  tapped[kBody] = listener
  for (const chunk of received) listener.onBodyData(chunk)
  if (tapped._readableState.ended && endsWell(raw)) listener.onBodyEnd()
  return true
}

/**
 * What a request holds that nobody has read. Reading it and putting it back would not do: Node then takes the body for
 * one that somebody reads, and waits for them. `buffer` is what undici, too, reads of a stream's state.
 */
function receivedOf (raw: IncomingMessage): Iterable<Buffer> | null {
  if (raw.readableLength === 0) return raw.readableDidRead ? null : []
  if (raw.readableDidRead || raw.readableEncoding !== null) return null
  return (raw as Tapped)._readableState.buffer
}

/** Lets `listener` hear no more; what is under way goes on as if there had never been a tap. */
export function untapRequestBody (raw: IncomingMessage, listener: BodyListener): void {
  const tapped = raw as Tapped
  if (tapped[kBody] === listener) {
    tapped[kBody] = listener.nextListener
    return
  }
  for (let other = tapped[kBody] ?? null; other !== null; other = other.nextListener) {
    if (other.nextListener === listener) other.nextListener = listener.nextListener
  }
}

function observedPush (this: Tapped, chunk: unknown, encoding?: BufferEncoding): boolean {
  let listener = this[kBody] ?? null
  while (listener !== null) {
    // A tap may leave because of what it hears.
    const { nextListener }: BodyListener = listener
    listener.guard.enter(listener, hear, this, chunk, encoding)
    listener = nextListener
  }
  return this[kPush](chunk, encoding)
}

function hear (listener: BodyListener, raw: IncomingMessage, chunk: unknown, encoding?: BufferEncoding): void {
  if (chunk !== null) listener.onBodyData(typeof chunk === 'string' ? Buffer.from(chunk, encoding) : chunk as Buffer)
  else if (endsWell(raw)) listener.onBodyEnd()
}

/** HTTP/2 ends a request's body on a reset stream, too; HTTP/1 does not. */
function endsWell (raw: MaybeHttp2): boolean {
  return raw.stream === undefined || !raw.stream.closed
}

/** Methods whose body Fastify never reads, as far as is known without asking it. */
const BODYLESS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'TRACE'])

/**
 * Methods whose body an app never reads: a copy of such a request has none. `addHttpMethod` adds to them at any time.
 * Fastify 5 keeps them where only its symbol's name leads.
 */
export function bodylessMethods (app: object): ReadonlySet<string> {
  for (let place = app; place !== null; place = Object.getPrototypeOf(place)) {
    for (const key of Object.getOwnPropertySymbols(place)) {
      if (key.description !== 'fastify.acceptedHTTPMethods') continue
      const { bodyless } = (app as Record<symbol, { bodyless?: unknown }>)[key]
      if (bodyless instanceof Set) return bodyless
    }
  }
  return BODYLESS
}

/**
 * Whether a request has a body that is copied. HTTP/1 says so in its head (RFC 9112, section 6); a stream of HTTP/2, or
 * a request that was injected, may have one unannounced.
 */
export function hasBody (raw: IncomingMessage, bodyless: ReadonlySet<string>): boolean {
  if (bodyless.has(raw.method as string)) return false
  const { headers } = raw
  if (headers['content-length'] !== undefined) return headers['content-length'] !== '0'
  if (headers['transfer-encoding'] !== undefined) return true
  const { stream } = raw as MaybeHttp2
  if (stream !== undefined) return stream.endAfterHeaders !== true
  // Only what a parser made says whether it is complete. What is injected with a type is read by Fastify, and so has an
  // end.
  return typeof raw.complete !== 'boolean' && headers['content-type'] !== undefined
}
