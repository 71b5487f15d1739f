import t from 'tap'
import type { DropReason, FailureReason, MismatchPart, NotComparedReason } from '../types/index'
import { BackendBooks, MirrorBooks, type MirrorSkip } from '../lib/metrics/books'
import { Ring } from '../lib/metrics/ring'
import { mirrorSnapshot, redactSnapshot, type MirrorState } from '../lib/metrics/snapshot'

const SKIPS: MirrorSkip[] = ['disabled', 'filtered', 'looped', 'upgraded', 'unsampled']
const DROPS: DropReason[] = ['inFlight', 'memory', 'breaker', 'closing', 'thread', 'path', 'error']
const FAILURES: FailureReason[] = ['timeout', 'connect', 'reset', 'body', 'slow', 'staleConnection', 'bodyTimeout', 'memory', 'thread', 'aborted', 'error']
const NOT_COMPARED: NotComparedReason[] =
  ['off', 'primaryAborted', 'primaryFailed', 'hijacked', 'encoding', 'conditional', 'memory', 'busy', 'thread', 'untapped', 'closing', 'error']

const EMPTY = { count: 0, p50: null, p90: null, p95: null, p99: null, max: null }

function sum (counters: Record<string, number>): number {
  return Object.values(counters).reduce((total, count) => total + count, 0)
}

function mirrorImbalance (b: MirrorBooks): string | null {
  const parts = b.disabled + b.filtered + b.looped + b.upgraded + b.unsampled + b.pending + b.unhandled + b.mirrored
  return b.seen === parts && b.pending >= 0 ? null : JSON.stringify(b)
}

function backendImbalance (b: BackendBooks): string | null {
  const closed =
    b.offered === b.disabled + b.unsampled + sum(b.dropped) + b.total &&
    b.total === b.inFlight + b.success + sum(b.failure) &&
    b.success === b.comparing + b.compared + sum(b.notCompared) &&
    b.success === sum(b.status) &&
    b.compared === b.matched + b.mismatched &&
    b.latency.shadow.count === b.success &&
    b.inFlight >= 0 && b.comparing >= 0
  return closed ? null : JSON.stringify(b)
}

function difference (...differs: MismatchPart[]) {
  return differs.length === 0 ? null : { differs }
}

/** The same numbers at every run: mulberry32. */
function seeded (seed: number): (below: number) => number {
  return below => {
    seed = (seed + 0x6d2b79f5) | 0
    let hash = Math.imul(seed ^ (seed >>> 15), seed | 1)
    hash ^= hash + Math.imul(hash ^ (hash >>> 7), hash | 61)
    return Math.floor(((hash ^ (hash >>> 14)) >>> 0) / 2 ** 32 * below)
  }
}

t.test('percentiles are by nearest rank', async t => {
  const hundred = new Ring()
  for (let ms = 100; ms >= 1; ms--) hundred.add(ms)
  t.strictSame(hundred.summary(), { count: 100, p50: 50, p90: 90, p95: 95, p99: 99, max: 100 })

  const one = new Ring()
  one.add(7.5)
  t.strictSame(one.summary(), { count: 1, p50: 7.5, p90: 7.5, p95: 7.5, p99: 7.5, max: 7.5 })

  const three = new Ring()
  for (const ms of [30, 10, 20]) three.add(ms)
  t.strictSame(three.summary(), { count: 3, p50: 20, p90: 30, p95: 30, p99: 30, max: 30 })
})

t.test('percentiles of samples that are made to be slow to select are right, too', async t => {
  // Made backwards: each pivot, in the middle of what is left, is the smallest of it.
  const places = Array.from({ length: 1000 }, (_, i) => i)
  const samples = new Array<number>(1000)
  for (let low = 0; low < 1000; low++) {
    const middle = (low + 999) >> 1
    samples[places[middle]] = low + 1
    places[middle] = places[low]
  }
  const ring = new Ring()
  for (const sample of samples) ring.add(sample)
  const expected = { count: 1000, p50: 500, p90: 900, p95: 950, p99: 990, max: 1000 }
  t.strictSame(ring.summary(), expected)
  ring.summary().p50 = 0
  t.strictSame(ring.summary(), expected, 'a summary is the reader\'s own')
})

t.test('an empty ring has a count and no percentiles', async t => {
  t.strictSame(new Ring().summary(), EMPTY)
})

t.test('a ring counts all samples and describes the last 1000', async t => {
  const ring = new Ring()
  for (let ms = 1; ms <= 1000; ms++) ring.add(ms)
  t.strictSame(ring.summary(), { count: 1000, p50: 500, p90: 900, p95: 950, p99: 990, max: 1000 })
  for (let ms = 1001; ms <= 2500; ms++) ring.add(ms)
  t.strictSame(ring.summary(), { count: 2500, p50: 2000, p90: 2400, p95: 2450, p99: 2490, max: 2500 })
  for (let i = 0; i < 1000; i++) ring.add(1)
  t.strictSame(ring.summary(), { count: 3500, p50: 1, p90: 1, p95: 1, p99: 1, max: 1 })
})

t.test('reading a summary does not disturb the order in which samples are replaced', async t => {
  const ring = new Ring()
  for (let ms = 1000; ms >= 1; ms--) ring.add(ms)
  ring.summary()
  ring.add(0)
  t.equal(ring.summary().max, 999, 'the oldest sample went, not the smallest')
})

t.test('latencies keep fractions to the microsecond, and a difference may be negative', async t => {
  const ring = new Ring()
  for (const ms of [-3.25, -0.0001, 3.14159265]) ring.add(ms)
  t.strictSame(ring.summary(), { count: 3, p50: 0, p90: 3.142, p95: 3.142, p99: 3.142, max: 3.142 })
  t.ok(Object.is(ring.summary().p50, 0), 'no negative zero')
  const slower = new Ring()
  slower.add(-3.25)
  t.equal(slower.summary().p50, -3.25)
})

t.test('every event of a mirror moves its own counters', async t => {
  for (const reason of SKIPS) {
    const books = new MirrorBooks()
    books.skip(reason)
    t.strictSame({ ...books }, { ...new MirrorBooks(), seen: 1, [reason]: 1 }, reason)
  }
  const books = new MirrorBooks()
  books.choose()
  t.strictSame({ ...books }, { ...new MirrorBooks(), seen: 1, pending: 1 })
  books.choose()
  books.abandon()
  t.strictSame({ ...books }, { ...new MirrorBooks(), seen: 2, pending: 1, unhandled: 1 })
  books.offer()
  t.strictSame({ ...books }, { ...new MirrorBooks(), seen: 2, unhandled: 1, mirrored: 1 })
})

t.test('every event of a backend moves its own counters', async t => {
  for (const reason of ['disabled', 'unsampled'] as const) {
    const books = new BackendBooks()
    books.skip(reason)
    t.match(books, { offered: 1, [reason]: 1, total: 0 }, reason)
  }
  for (const reason of DROPS) {
    const books = new BackendBooks()
    books.drop(reason)
    t.match(books, { offered: 1, dropped: { [reason]: 1 }, total: 0 }, reason)
  }
  for (const reason of FAILURES) {
    const books = new BackendBooks()
    books.attempt()
    t.match(books, { offered: 1, total: 1, inFlight: 1 })
    books.fail(reason)
    t.match(books, { offered: 1, total: 1, inFlight: 0, success: 0, failure: { [reason]: 1 } }, reason)
  }
  for (const reason of NOT_COMPARED) {
    const books = new BackendBooks()
    books.attempt()
    books.answer(200, 1)
    t.match(books, { total: 1, inFlight: 0, success: 1, comparing: 1 })
    books.leaveUncompared(reason)
    t.match(books, { success: 1, comparing: 0, compared: 0, notCompared: { [reason]: 1 } }, reason)
  }
})

t.test('a copy that the client library refused was dropped, not attempted', async t => {
  const books = new BackendBooks()
  books.attempt()
  books.refuse()
  t.match(books, { offered: 1, total: 0, inFlight: 0, dropped: { error: 1 } })
})

t.test('answers are counted by class, whatever a server makes up', async t => {
  const cases = [
    [200, '2xx'], [204, '2xx'], [299, '2xx'], [300, '3xx'], [304, '3xx'], [404, '4xx'], [499, '4xx'], [500, '5xx'],
    [599, '5xx'], [600, '5xx'], [999, '5xx'], [199, '5xx'], [0, '5xx']
  ] as const
  for (const [status, expected] of cases) {
    const books = new BackendBooks()
    books.attempt()
    books.answer(status, 1)
    t.strictSame(books.status, { '2xx': 0, '3xx': 0, '4xx': 0, '5xx': 0, [expected]: 1 }, `${status}`)
  }
})

t.test('a mismatch counts once, and once for each part that differs', async t => {
  const books = new BackendBooks()
  for (const differs of [[], ['status'], ['body'], ['status', 'headers', 'body']] as MismatchPart[][]) {
    books.attempt()
    books.answer(200, 1)
    books.compare(difference(...differs), null)
  }
  t.match(books, {
    comparing: 0, compared: 4, matched: 1, mismatched: 3, mismatches: { status: 2, headers: 1, body: 2 }
  })
})

t.test('a pair gives samples of the primary and of the difference, unless it was held back', async t => {
  const books = new BackendBooks()
  for (const latency of [{ primary: 4, difference: 1.5 }, null]) {
    books.attempt()
    books.answer(200, 5.5)
    books.compare(difference(), latency)
  }
  t.match(books.latency.shadow.summary(), { count: 2, max: 5.5 })
  t.match(books.latency.primary.summary(), { count: 1, max: 4 })
  t.match(books.latency.difference.summary(), { count: 1, max: 1.5 })
})

t.test('the counters close after every single event', async t => {
  const pick = seeded(20_240_601)
  const any = <T>(list: readonly T[]): T => list[pick(list.length)]
  const mirror = new MirrorBooks()
  const backend = new BackendBooks()
  const events = [
    () => { mirror.skip(any(SKIPS)) },
    () => { mirror.choose() },
    () => { if (mirror.pending > 0) mirror.abandon() },
    () => { if (mirror.pending > 0) mirror.offer() },
    () => { backend.skip(any(['disabled', 'unsampled'])) },
    () => { backend.drop(any(DROPS)) },
    () => { backend.attempt() },
    () => { backend.attempt() },
    () => { if (backend.inFlight > 0) backend.refuse() },
    () => { if (backend.inFlight > 0) backend.fail(any(FAILURES)) },
    () => { if (backend.inFlight > 0) backend.answer(200 + pick(400), pick(1000) / 7) },
    () => { if (backend.comparing > 0) backend.compare(difference(), { primary: 1, difference: pick(5) - 2 }) },
    () => { if (backend.comparing > 0) backend.compare(difference(any(['status', 'headers', 'body'])), null) },
    () => { if (backend.comparing > 0) backend.leaveUncompared(any(NOT_COMPARED)) }
  ]
  for (let i = 0; i < 20_000; i++) {
    any(events)()
    const imbalance = mirrorImbalance(mirror) ?? backendImbalance(backend)
    if (imbalance !== null) return t.fail(`event ${i}: ${imbalance}`)
  }
  const { repeats, ...counts } = mirror
  t.ok(Object.values(counts).every(count => count > 0), 'every counter of the mirror was reached')
  t.strictSame(repeats, new MirrorBooks().repeats)
  for (const kinds of [backend.dropped, backend.failure, backend.status, backend.notCompared, backend.mismatches]) {
    t.ok(Object.values(kinds).every(count => count > 0), 'so was every reason')
  }
})

const SAMPLE = `{
  "id": "api", "routes": [{ "method": ["GET", "POST"], "url": "/api/*" }], "enabled": true, "percentage": 50,
  "rules": [],
  "seen": 6, "disabled": 0, "filtered": 1, "looped": 0, "upgraded": 0, "unsampled": 1, "pending": 0, "unhandled": 1,
  "mirrored": 3, "repeats": null,
  "backends": [{
    "name": "shadow:9000", "url": "http://shadow:9000", "enabled": true, "percentage": 100,
    "offered": 3, "disabled": 0, "unsampled": 0,
    "dropped": { "inFlight": 1, "memory": 0, "breaker": 0, "closing": 0, "thread": 0, "path": 0, "error": 0 },
    "total": 2, "inFlight": 1, "success": 1,
    "failure": { "timeout": 0, "connect": 0, "reset": 0, "body": 0, "slow": 0, "staleConnection": 0, "bodyTimeout": 0, "memory": 0, "thread": 0, "aborted": 0, "error": 0 },
    "status": { "2xx": 0, "3xx": 0, "4xx": 1, "5xx": 0 },
    "comparing": 0, "compared": 1, "matched": 0, "mismatched": 1,
    "notCompared": { "off": 0, "primaryAborted": 0, "primaryFailed": 0, "hijacked": 0, "encoding": 0, "conditional": 0, "memory": 0,
      "busy": 0, "thread": 0, "untapped": 0, "closing": 0, "error": 0 },
    "mismatches": { "status": 1, "headers": 0, "body": 1 },
    "latency": {
      "shadow": { "count": 1, "p50": 3.1, "p90": 3.1, "p95": 3.1, "p99": 3.1, "max": 3.1 },
      "primary": { "count": 1, "p50": 2, "p90": 2, "p95": 2, "p99": 2, "max": 2 },
      "difference": { "count": 1, "p50": 1.1, "p90": 1.1, "p95": 1.1, "p99": 1.1, "max": 1.1 }
    },
    "breaker": "closed"
  }]
}`

function sampleState () {
  const books = new MirrorBooks()
  books.skip('filtered')
  books.skip('unsampled')
  for (let i = 0; i < 4; i++) books.choose()
  books.abandon()
  for (let i = 0; i < 3; i++) books.offer()

  const backend = new BackendBooks()
  backend.drop('inFlight')
  backend.attempt()
  backend.attempt()
  backend.answer(404, 3.1)
  backend.compare(difference('status', 'body'), { primary: 2, difference: 1.1 })

  return {
    id: 'api',
    routes: [{ method: ['GET', 'POST'], url: '/api/*' }],
    enabled: true,
    rules: [],
    percentage: 50,
    repeats: null,
    books,
    backends: [
      { name: 'shadow:9000', url: 'http://shadow:9000', enabled: true, percentage: 100, breaker: 'closed', books: backend }
    ]
  } satisfies MirrorState
}

t.test('a snapshot has every key, in the documented order', async t => {
  t.equal(JSON.stringify(mirrorSnapshot(sampleState())), JSON.stringify(JSON.parse(SAMPLE)))
})

t.test('a snapshot of a new mirror has every key too', async t => {
  const snapshot = mirrorSnapshot({
    ...sampleState(),
    books: new MirrorBooks(),
    backends: [{ ...sampleState().backends[0], books: new BackendBooks(), breaker: 'half-open' }]
  })
  t.match(snapshot, { seen: 0, mirrored: 0 })
  t.strictSame(Object.keys(snapshot.backends[0].dropped), DROPS)
  t.strictSame(Object.keys(snapshot.backends[0].failure), FAILURES)
  t.strictSame(Object.keys(snapshot.backends[0].notCompared), NOT_COMPARED)
  t.strictSame(snapshot.backends[0].latency, { shadow: EMPTY, primary: EMPTY, difference: EMPTY })
  t.equal(snapshot.backends[0].breaker, 'half-open')
})

t.test('later events do not change a snapshot, nor does writing to it change the mirror', async t => {
  const state = sampleState()
  const snapshot = mirrorSnapshot(state)
  const before = JSON.stringify(snapshot)

  state.books.choose()
  const { books } = state.backends[0]
  for (const reason of DROPS) books.drop(reason)
  for (let i = 0; i < 3; i++) books.attempt()
  books.fail('timeout')
  books.answer(500, 9)
  books.compare(difference('headers'), { primary: 1, difference: 8 })
  books.answer(200, 9)
  books.leaveUncompared('off')
  state.routes[0].method.push('PUT')
  t.equal(JSON.stringify(snapshot), before)

  snapshot.routes[0].method.length = 0
  snapshot.backends[0].dropped.memory = 1000
  t.strictSame(state.routes[0].method, ['GET', 'POST', 'PUT'])
  t.equal(books.dropped.memory, 1)
})

t.test('a redacted snapshot says nothing of routes, URLs and hosts', async t => {
  const state = sampleState()
  const [backend] = state.backends
  const snapshot = mirrorSnapshot({ ...state, backends: [backend, { ...backend, name: 'canary' }, backend] })
  const before = JSON.stringify(snapshot)
  const redacted = redactSnapshot(snapshot, [false, true, false])

  t.strictSame(redacted.backends.map(({ name }) => name), ['#1', 'canary', '#3'])
  t.notMatch(JSON.stringify(redacted), /shadow:|\/api|"url"|"routes"/)
  t.strictSame(Object.keys(redacted), Object.keys(snapshot).filter(key => key !== 'routes' && key !== 'rules'))
  t.strictSame(Object.keys(redacted.backends[0]), Object.keys(snapshot.backends[0]).filter(key => key !== 'url'))
  t.equal(redacted.backends[1].offered, 3)
  t.equal(JSON.stringify(snapshot), before, 'the snapshot itself is left whole')
})
