import { createHash } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { gzipSync } from 'node:zlib'
import { seeded } from '../helpers/random'

/**
 * What an answer is: all of it follows from the request, so that whoever asked knows what must come, and a shadow
 * can say the same as the primary.
 *
 *     /<anything>/<kind>/<seed>/<size>
 */
export const KINDS = ['json', 'gzip', 'bytes', 'chunked', 'slow', 'status', 'echo'] as const
export type Kind = typeof KINDS[number]

/** A body that need not be in memory as a whole. */
export interface Body {
  length: number
  /** Bytes from there on, some or all of them. */
  at (offset: number): Buffer
}

export interface Told {
  status: number
  headers: Record<string, string>
  body: Body
  /** Its length is not announced. */
  chunked: boolean
  /** Milliseconds between its pieces. */
  pause: number
}

/** Of a request body. */
export interface Sent { length: number, hash: string }

const PIECE = 64 * 1024
const PATTERN = patternOf(1024 * 1024)
const STATUSES = [200, 201, 202, 204, 304, 400, 404, 409, 418, 500]
const PATH = /\/(\w+)\/(\d+)\/(\d+)(?:\?|$)/
const JSON_TYPE = { 'content-type': 'application/json; charset=utf-8' }
export const TEXT_TYPE = { 'content-type': 'text/plain; charset=utf-8' }
const OCTETS = { 'content-type': 'application/octet-stream' }

function patternOf (length: number): Buffer {
  const random = seeded(1)
  return Buffer.from(Uint8Array.from({ length }, () => random() * 256))
}

/** Bytes that look random. */
export function bytesOf (seed: number, length: number): Body {
  return {
    length,
    at (offset) {
      const from = (seed * 7919 + offset) % PATTERN.length
      return PATTERN.subarray(from, from + Math.min(PIECE, length - offset))
    }
  }
}

function bodyOf (content: string | Buffer): Body {
  const bytes = Buffer.from(content)
  return { length: bytes.length, at: offset => bytes.subarray(offset) }
}

export function * piecesOf (body: Body): Generator<Buffer> {
  for (let offset = 0; offset < body.length;) {
    const piece = body.at(offset)
    offset += piece.length
    yield piece
  }
}

export function hashOf (body: Body): string {
  const hash = createHash('sha256')
  for (const piece of piecesOf(body)) hash.update(piece)
  return hash.digest('hex')
}

/** `twist`: for an answer that differs. */
export function documentOf (seed: number, size: number, twist = 0): object {
  const items = Array.from({ length: Math.ceil(size / 64) }, (_, index) => ({ id: seed + index, name: `item ${index}`, price: (seed * index) % 997 / 10 }))
  return { id: seed + twist, token: `secret ${seed}`, count: items.length, items }
}

export function toldOf (method: string, url: string, sent: Sent, twist = 0): Told {
  const [, kind, seedText, sizeText] = PATH.exec(url) as unknown as [string, Kind, string, string]
  const seed = Number(seedText)
  const size = Number(sizeText)
  const told = contentOf(kind, seed, size, `${method} ${url} ${sent.length} ${sent.hash}`, twist)
  return method === 'HEAD' ? { ...told, body: bodyOf('') } : told
}

function contentOf (kind: Kind, seed: number, size: number, echo: string, twist: number): Told {
  const plain = { status: 200, chunked: false, pause: 0 }
  switch (kind) {
    case 'json': return { ...plain, headers: JSON_TYPE, body: bodyOf(JSON.stringify(documentOf(seed, size, twist))) }
    case 'gzip': {
      const headers = { ...JSON_TYPE, 'content-encoding': 'gzip' }
      return { ...plain, headers, body: bodyOf(gzipSync(JSON.stringify(documentOf(seed, size, twist)))) }
    }
    case 'bytes': return { ...plain, headers: OCTETS, body: bytesOf(seed + twist, size) }
    case 'chunked': return { ...plain, headers: OCTETS, body: bytesOf(seed + twist, size), chunked: true }
    case 'slow': return { ...plain, headers: OCTETS, body: bytesOf(seed + twist, size), chunked: true, pause: 20 + seed % 80 }
    case 'status': {
      const status = STATUSES[(seed + twist) % STATUSES.length]
      if (status === 204 || status === 304) return { ...plain, status, headers: {}, body: bodyOf('') }
      return { ...plain, status, headers: TEXT_TYPE, body: bodyOf(`status ${seed}`) }
    }
    case 'echo': return { ...plain, headers: TEXT_TYPE, body: bodyOf(echo + ' twisted'.repeat(twist)) }
  }
}

/** The body as a stream, at the answer's pace. */
export function streamOf ({ body, pause }: Told): Readable {
  return Readable.from(paced(body, pause), { objectMode: false })
}

async function * paced (body: Body, pause: number): AsyncGenerator<Buffer> {
  for (const piece of piecesOf(body)) {
    if (pause > 0) await delay(pause)
    yield piece
  }
}

/** Takes the whole request body. Rejects when it is cut. */
export async function takeBody (stream: AsyncIterable<Buffer>): Promise<Sent> {
  const hash = createHash('sha256')
  let length = 0
  for await (const chunk of stream) {
    length += chunk.length
    hash.update(chunk)
  }
  return { length, hash: hash.digest('hex') }
}

export async function tell (response: ServerResponse, method: string, told: Told): Promise<void> {
  const { status, headers, body, chunked } = told
  const bare = status === 204 || status === 304 || method === 'HEAD'
  response.writeHead(status, chunked || bare ? headers : { ...headers, 'content-length': body.length })
  if (bare) response.end()
  else if (body.length <= PIECE && !chunked && body.length === body.at(0).length) response.end(body.at(0))
  else await pipeline(streamOf(told), response)
}

/** Answers as the primary does. Whoever is left alone by the client stops. */
export async function answer (request: IncomingMessage, response: ServerResponse, twist = 0): Promise<void> {
  const method = request.method as string
  try {
    await tell(response, method, toldOf(method, request.url as string, await takeBody(request), twist))
  } catch {
    response.destroy()
  }
}
