import fc from 'fast-check'
import t from 'tap'
import { createHash } from 'node:crypto'
import { Digest } from '../../lib/compare/digest'
import { holds, same } from '../helpers/property'
import { seeded } from '../helpers/random'

/** Around the lengths at which bodies are hashed in other ways. */
const length = fc.oneof(
  fc.nat(40), fc.nat(20_000), ...[2, 4, 8, 16].map(kib => fc.integer({ min: -2, max: 2 }).map(off => kib * 1024 + off))
)
const body = fc.tuple(length, fc.nat()).map(([length, seed]) => {
  const random = seeded(seed)
  return Uint8Array.from({ length }, () => random() * 256)
})
/** Where a body is cut, as shares of its length; the same place twice makes an empty piece. */
const cuts = fc.array(fc.oneof(fc.double({ min: 0, max: 1, noNaN: true }), fc.constantFrom(0, 0.5, 1)), { maxLength: 6 })

function inPieces (body: Uint8Array, cuts: number[]): Digest {
  const places = [...cuts.map(cut => Math.round(cut * body.length)).sort((a, b) => a - b), body.length]
  const digest = new Digest()
  let start = 0
  for (const end of places) {
    // A piece of a buffer that is written to afterwards, as sockets do.
    const buffer = new Uint8Array(end - start + 10)
    const piece = buffer.subarray(5, 5 + end - start)
    piece.set(body.subarray(start, end))
    digest.update(piece)
    buffer.fill(0xaa)
    start = end
  }
  digest.end()
  return digest
}

function sha256 (body: Uint8Array): string {
  return createHash('sha256').update(body).digest('hex')
}

t.test('a digest', async t => {
  await holds(t, 'is that of the whole, however it came', fc.property(body, cuts, fc.boolean(), (body, cuts, early) => {
    const wanted = sha256(body)
    const [pieces, whole] = [inPieces(body, cuts), Digest.of(body)]
    if (early) same([pieces.hex, whole.hex], [wanted, wanted])
    same([pieces.length, whole.length], [body.length, body.length], 'length')
    same([pieces.equals(whole), whole.equals(pieces)], [true, true], 'equal')
    same([pieces.hex, whole.hex], [wanted, wanted], 'SHA-256')
    same([pieces.equals(whole), whole.equals(pieces)], [true, true], 'equal still')
  }), 800)

  await holds(t, 'is another where a single byte is', fc.property(body, cuts, cuts, fc.nat(), fc.integer({ min: 1, max: 255 }), (body, cuts, others, at, by) => {
    const other = Uint8Array.from(body)
    if (body.length > 0) other[at % body.length] ^= by
    const [a, b] = [inPieces(body, cuts), inPieces(other, others)]
    const equal = body.length === 0
    same([a.equals(b), b.equals(a), Digest.of(body).equals(b), a.equals(Digest.of(other))], Array(4).fill(equal))
    same([a.hex, b.hex], [sha256(body), sha256(other)])
    same(inPieces(body.subarray(1), cuts).equals(inPieces(body, others)), equal, 'one byte less')
  }), 600)

  await holds(t, 'of text is that of its bytes in UTF-8', fc.property(fc.string({ unit: 'binary' }), fc.nat(2000), (text, times) => {
    const long = text.repeat(1 + times % 200) + '\ud800'
    const bytes = Buffer.from(long)
    same(Digest.of(long).hex, sha256(bytes))
    same([Digest.of(long).equals(Digest.of(bytes)), Digest.of(long).length], [true, bytes.length])
  }), 300)
})
