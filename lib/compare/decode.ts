import zlib from 'node:zlib'
import { UNTOLD } from '../guard'
import type { Guard, Holder } from '../guard'

/** More codings than that, one on the other, are not taken off. */
const MAX_CODINGS = 3
/** Bodies that wait for their turn. */
const MAX_WAITING = 64
/** `ZSTD_d_windowLogMax`: a window of at most 8 MiB, 2^23 (RFC 9659); by default a few bytes can ask for 128 MiB. */
const ZSTD_PARAMS = { 100: 23 }

/** `encoding`: a coding that is not known; `not decodable`: broken; `busy`: too many wait; `error`: our own fault. */
export type DecodeFailure = 'encoding' | 'not decodable' | 'too long' | 'busy' | 'error'

/** The body without its codings, or why it cannot be had. */
export type Decoded = Buffer | DecodeFailure

interface DecodeOptions {
  maxOutputLength: number
  params?: Readonly<Record<number, number>>
}

type Callback = (error: (Error & { code?: string }) | null, result: Buffer) => void
type Decode = (body: Buffer, options: DecodeOptions, callback: Callback) => void

interface Coding {
  decode: Decode
  params?: DecodeOptions['params']
}

/** A body to be decoded, and who hears of it: once, or again where it throws. */
class Job implements Holder {
  body: Buffer
  /** Still to be taken off, the outermost last. */
  readonly codings: Coding[]
  readonly limit: number
  readonly onDecoded: (result: Decoded) => void
  readonly guard: Guard
  readonly #decoder: Decoder

  constructor (
    decoder: Decoder, body: Buffer, codings: Coding[], limit: number, onDecoded: (result: Decoded) => void, guard: Guard
  ) {
    this.#decoder = decoder
    this.body = body
    this.codings = codings
    this.limit = limit
    this.onDecoded = onDecoded
    this.guard = guard
  }

  step (): void {
    this.#decoder.step(this)
  }

  end (result: Decoded): void {
    this.#decoder.end(this, result)
  }

  fail (): void {
    this.end('error')
  }
}

/** By name, RFC 9110 section 8.4.1, RFC 7932 and RFC 8878. */
const CODINGS: ReadonlyMap<string, Coding> = new Map<string, Coding>([
  ['gzip', { decode: zlib.gunzip as Decode }],
  ['deflate', { decode: inflate }],
  ['br', { decode: zlib.brotliDecompress as Decode }],
  ['zstd', { decode: (zlib as unknown as { zstdDecompress: Decode }).zstdDecompress, params: ZSTD_PARAMS }]
])

/**
 * Takes content codings off bodies, one body at a time: the threads that do it are the process's, and whoever else
 * compresses or reads files there must not wait for a mirror.
 */
export class Decoder {
  readonly #waiting: Job[] = []
  #current: Job | undefined = undefined

  /**
   * Calls back with the decoded body, or why there is none: at once where nothing has to be decoded or nothing can be.
   * No step of the decoding gives more than `limit` bytes. What comes back later comes behind `guard`.
   */
  decode (
    body: Buffer, contentEncoding: string | undefined, limit: number, onDecoded: (result: Decoded) => void,
    guard = UNTOLD
  ): void {
    const names = codingsOf(contentEncoding)
    // HEAD, 204 and 304 have no body, whatever their headers say.
    if (names.length === 0 || body.length === 0) return onDecoded(body.length > limit ? 'too long' : body)
    const codings = known(names)
    if (codings === null) return onDecoded('encoding')
    if (this.#waiting.length === MAX_WAITING) return onDecoded('busy')
    this.#waiting.push(new Job(this, body, codings, limit, onDecoded, guard))
    if (this.#current === undefined) this.#next()
  }

  #next (): void {
    const job = this.#current = this.#waiting.shift()
    if (job !== undefined) job.guard.enter(job, step)
  }

  /** @internal Takes the next coding off. */
  step (job: Job): void {
    const coding = job.codings.pop()
    if (coding === undefined) return this.end(job, job.body)
    const { decode, params } = coding
    decode(job.body, { maxOutputLength: job.limit, params }, job.guard.door(job, decoded))
  }

  /** @internal */
  end (job: Job, result: Decoded): void {
    if (this.#current === job) this.#next()
    job.onDecoded(result)
  }
}

function step (job: Job): void {
  job.step()
}

function decoded (job: Job, error: (Error & { code?: string }) | null, result: Buffer): void {
  if (error !== null) return job.end(error.code === 'ERR_BUFFER_TOO_LARGE' ? 'too long' : 'not decodable')
  job.body = result
  job.step()
}

function known (names: readonly string[]): Coding[] | null {
  if (names.length > MAX_CODINGS) return null
  const codings: Coding[] = []
  for (const name of names) {
    const coding = CODINGS.get(name)
    // zstd came with Node 22.15.
    if (coding?.decode === undefined) return null
    codings.push(coding)
  }
  return codings
}

/** Older names that mean the same (RFC 9110, section 8.4.1). */
const ALIASES: ReadonlyMap<string, string> = new Map([['x-gzip', 'gzip'], ['x-compress', 'compress']])

/** The names in a Content-Encoding, in lower case and as they are called today, without those that change nothing. */
export function codingsOf (contentEncoding: string | undefined): string[] {
  if (contentEncoding === undefined) return []
  const names = contentEncoding.toLowerCase().split(',').map((coding) => coding.trim())
  return names.filter((coding) => coding !== '' && coding !== 'identity').map(coding => ALIASES.get(coding) ?? coding)
}

/** Whether a Content-Encoding, empty without one, says that anything has to be taken off. */
export function isCoded (contentEncoding: string): boolean {
  return contentEncoding !== '' && codingsOf(contentEncoding).length > 0
}

/** Whether two Content-Encodings name the same codings. */
export function sameCodings (one: string | undefined, other: string | undefined): boolean {
  return one === other || codingsOf(one).join() === codingsOf(other).join()
}

/** `deflate` is the zlib format (RFC 1950), but some servers send it bare (RFC 1951); the first two bytes tell. */
function inflate (body: Buffer, options: DecodeOptions, callback: Callback): void {
  const wrapped = (body[0] & 0x0f) === 8 && body.length > 1 && body.readUInt16BE(0) % 31 === 0
  if (wrapped) zlib.inflate(body, options, callback)
  else zlib.inflateRaw(body, options, callback)
}
