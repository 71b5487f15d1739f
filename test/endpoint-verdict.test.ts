import t from 'tap'
import { EndpointBooks, KIND } from '../lib/endpoints/books'
import type { Kind } from '../lib/endpoints/books'
import { Spread } from '../lib/endpoints/spread'
import { BackendBooks } from '../lib/metrics/books'
import { readMirrorOptions } from '../lib/options'
import { Judge } from '../lib/verdict/judge'
import type { EndpointFacts } from '../lib/verdict/endpoints'
import { seeded } from '../scripts/verdict/simulate'
import { simulateAllWrong, simulateOneWrong } from '../scripts/verdict/simulate-endpoints'
import type { MirrorOptions, VerdictOptions, VerdictReason } from '../types/index'

type Counts = Partial<Record<keyof typeof KIND, number>> & { slower?: number, pairs?: number }

function endpoint (name: string, { slower = 0, pairs = 0, ...counts }: Counts): EndpointFacts {
  const books = new EndpointBooks()
  for (const [kind, count] of Object.entries(counts)) books.counts[KIND[kind as keyof typeof KIND] as Kind] = count
  books.slower = slower
  if (pairs > 0) {
    books.differences = new Spread()
    for (let i = 0; i < pairs; i++) books.differences.add(1, 1)
  }
  return { name, books }
}

function judgeOf (verdict: VerdictOptions = {}, options: Partial<MirrorOptions> = {}): Judge {
  const raw = { backends: ['http://a'], compare: { enabled: true }, ...options, verdict }
  return new Judge(readMirrorOptions(raw, {}, { method: 'GET', url: '/' }))
}

/** What is said of the endpoints; the mirror itself is fine. */
function reasonOf (endpoints: EndpointFacts[], verdict?: VerdictOptions, options?: Partial<MirrorOptions>, age = 0): VerdictReason | undefined {
  const books = new BackendBooks()
  const offered = endpoints.reduce((sum, { books }) => sum + books.mirrored, 0)
  Object.assign(books, { offered, compared: 1e6, success: 1e6 })
  const facts = { name: 'shadow', books, breaker: 'closed' as const, since: null, outages: { count: 0, ms: 0, copies: 0 }, endpoints }
  const told = judgeOf(verdict, options).verdict([facts], { age, unsampled: 0 }).backends[0]
  const reason = told.reasons.find(({ about }) => about === 'endpoints')
  const words = { good: 'ready', bad: 'not ready', undecided: 'not enough data' } as Record<string, string>
  t.equal(told.verdict, reason === undefined ? options?.compare === undefined ? 'ready' : 'not enough data' : words[reason.state], 'the verdict is as the reason')
  return reason
}

t.test('every endpoint must be shown to keep its limit; until then those are named that have mismatches, then the busiest', async t => {
  t.equal(reasonOf([]), undefined)
  t.equal(reasonOf([endpoint('none', {})]), undefined)
  const good = endpoint('GET /good', { matched: 1000 })
  t.strictSame(reasonOf([good, good]), {
    about: 'endpoints', of: 2, limit: 0.01, state: 'good', count: 0, rate: 0, text: 'endpoints: 2 within the limit of 1 %'
  })
  t.match(reasonOf([good, endpoint('GET /few', { matched: 10 })]), {
    state: 'undecided',
    count: 1,
    of: 2,
    rate: 0.5,
    endpoints: [{ name: 'GET /few', share: 10 / 1010, compared: 10, mismatched: 0, needed: 370 }],
    text: 'endpoints: 1 of 2 is not shown to be within the limit of 1 % yet: GET /few (0.99 % of the requests; 370 more comparisons)'
  })
  const open = reasonOf([
    good, endpoint('GET /few', { matched: 10 }), endpoint('GET /some', { matched: 200, mismatched: 1 }), endpoint('GET /more', { matched: 50 }),
    endpoint('GET /no', { inFlight: 20 }), endpoint('GET /close', { matched: 990, mismatched: 10 })
  ], {}, {}, 60_000)
  t.strictSame(open?.endpoints?.map(({ name }) => name), ['GET /close', 'GET /some', 'GET /more', 'GET /no', 'GET /few'])
  t.match(open?.text, /GET \/close \([^)]*; 10 of 1000 comparisons are mismatches, 1 %; too close to the limit for any number of comparisons to settle it\)/)
  t.match(open?.text, /GET \/some \([^)]*; 1 of 201 comparisons are mismatches, 0\.498 %; \d+ more comparisons, in about \d+ min at the pace so far\)/)
  t.match(open?.text, /GET \/no \(0\.\d+ % of the requests; 380 more comparisons\)/, 'at no pace yet')
  t.match(reasonOf([endpoint('GET /', { matched: 10 })])?.text, /^endpoints: the only one is not shown/)
  const many = reasonOf(Array.from({ length: 30 }, (_, i) => endpoint(`GET /${i}`, { matched: 10 })))
  t.match(many, { count: 30, of: 30, text: /^endpoints: 30 of 30 are not .* and 22 more$/ })
  t.equal(many?.endpoints?.length, 8)
})

t.test('what is still open speaks against it, and so does what was not compared', async t => {
  t.match(reasonOf([endpoint('GET /a', { matched: 400 })]), { state: 'good' })
  t.match(reasonOf([endpoint('GET /a', { matched: 400, comparing: 5 })]), { state: 'undecided' })
  t.match(reasonOf([endpoint('GET /a', { matched: 400, busy: 5 })]), { state: 'undecided' })
  t.match(reasonOf([endpoint('GET /a', { mismatched: 20 })]), { state: 'bad' })
  t.match(reasonOf([endpoint('GET /a', { unread: 20 })]), { state: 'undecided' })
  t.match(reasonOf([endpoint('GET /a', { matched: 1000, uncompared: 200 })]), { state: 'undecided', text: /too few of its copies were compared/ })
  t.match(reasonOf([endpoint('GET /a', { matched: 1000, uncompared: 200 })], { minCoverage: 0.8 }), { state: 'good' })
  t.match(reasonOf([endpoint('GET /a', { matched: 1000, aside: 1000, leftOut: 1000 })]), { state: 'good' })
})

t.test('small ones are left out, and told; what is proven of them is proven', async t => {
  const large = endpoint('GET /large', { matched: 100_000 })
  t.match(reasonOf([large, endpoint('GET /a', { matched: 50 }), endpoint('GET /b', { mismatched: 1 })]), {
    state: 'good', of: 1, text: 'endpoints: 1 within the limit of 1 %; left out as too small: 2 with 0.051 % of the requests'
  })
  t.match(reasonOf([large, endpoint('GET /a', { mismatched: 50 })]), { state: 'bad', of: 2, endpoints: [{ name: 'GET /a' }] })
  t.match(reasonOf([large, endpoint('GET /a', { matched: 50 })], { minEndpointShare: 0 }), { state: 'undecided' })
  t.match(reasonOf([endpoint('GET /a', { matched: 50 })], { minEndpointShare: 1 }), { state: 'undecided' })
  const tiny = Array.from({ length: 1000 }, (_, i) => endpoint(`GET /${i}`, { matched: 1 }))
  t.match(reasonOf(tiny, { minEndpointShare: 0.5 }), { state: 'good', of: 0, rate: null, text: 'endpoints: 0 within the limit of 1 %; left out as too small: 1000 with 100 % of the requests' })
})

t.test('one that is over a limit makes the mirror not ready, by name', async t => {
  const good = endpoint('GET /good', { matched: 1000 })
  t.match(reasonOf([good, endpoint('GET /bad', { matched: 60, mismatched: 40 }), endpoint('GET /worse', { mismatched: 30 })]), {
    state: 'bad',
    count: 2,
    of: 3,
    rate: 2 / 3,
    endpoints: [{ name: 'GET /worse', compared: 30, mismatched: 30, needed: null }, { name: 'GET /bad' }],
    text: /^endpoints: 2 of 3 are not fit for release: GET \/worse \(2\.\d+ % of the requests; mismatches: 30 of 30 comparisons, 100 %; with 95 % confidence at least [\d.]+ %; over the limit of 1 %\), GET \/bad/
  })
  t.match(reasonOf([good, endpoint('GET /down', { matched: 60, failed: 40 })])?.text, /^endpoints: 1 of 2 is not fit for release: GET \/down \([^(]*; failures: 40 of 100 copies, 40 %; .*over the limit of 1 %\)$/)
  const slow = endpoint('GET /slow', { matched: 1000, pairs: 1000, slower: 300 })
  t.match(reasonOf([good, slow], { maxSlowdown: 50 })?.text, /GET \/slow \([^(]*; slowdown: 300 of 1000 pairs are slower by more than 50 ms, 30 %; .*over the 5 % that may be\)$/)
})

t.test('where nothing is compared only failures speak', async t => {
  const off = { compare: { enabled: false } }
  t.equal(reasonOf([endpoint('GET /a', { uncompared: 1000 })], {}, off), undefined)
  t.match(reasonOf([endpoint('GET /a', { failed: 1000 })], {}, off), { state: 'bad' })
})

t.test('who allows more for all allows it for each; the errors are shared by all endpoints that there may be, and backends', async t => {
  const some = [endpoint('GET /a', { matched: 900, mismatched: 100 })]
  t.match(reasonOf(some, { maxMismatchRate: 0.2 }), { limit: 0.2, state: 'good' })
  t.match(reasonOf(some, { maxMismatchRate: 0.2, maxEndpointMismatchRate: 0.05 }), { limit: 0.05, state: 'bad' })
  const few = [endpoint('GET /a', { mismatched: 4 })]
  t.match(reasonOf(few, {}, { maxEndpoints: 1 }), { state: 'bad' })
  t.match(reasonOf(few, {}, { maxEndpoints: 1000 }), { state: 'undecided' })
  t.match(reasonOf(few, {}, { maxEndpoints: 20, backends: new Array(100).fill('http://a') }), { state: 'undecided' })
})

t.test('a verdict on 200 endpoints takes less than a millisecond', async t => {
  const judge = judgeOf({ maxSlowdown: 50 })
  for (const [name, counts] of [['good', { matched: 5000, mismatched: 10, pairs: 1, failed: 3 }], ['open', { matched: 100, mismatched: 1 }], ['bad', { mismatched: 100, failed: 100 }]] as const) {
    const books = new BackendBooks()
    books.offered = 1e6
    const endpoints = Array.from({ length: 200 }, (_, i) => endpoint(`GET /${i}`, counts))
    const facts = { name: 'shadow', books, breaker: 'closed' as const, since: null, outages: { count: 0, ms: 0, copies: 0 }, endpoints }
    let fastest = Infinity
    for (let i = 0; i < 50; i++) {
      const begun = performance.now()
      judge.verdict([facts], { age: 1000, unsampled: 0 })
      fastest = Math.min(fastest, performance.now() - begun)
    }
    t.comment(`${name}: ${fastest.toFixed(3)} ms`)
    t.ok(fastest < 1, `${name}: ${fastest} ms`)
  }
})

t.test('simulated: an endpoint that is wrong in some of its answers is never let pass, and found; none at the limit is accused', async t => {
  const { ready, named, notReady } = simulateOneWrong(40, 0.05, seeded(1))
  t.equal(ready, 0)
  t.equal(named, 1)
  t.ok(notReady >= 0.9, `${notReady}`)
  t.ok(simulateAllWrong(20, seeded(2)) <= 0.05)
  t.equal(simulateOneWrong(1, 0, seeded(3)).ready, 1, 'and one that is right is let pass')
  t.equal(simulateAllWrong(1, seeded(4), 0.03), 1, 'and one that is over it is accused')
})
