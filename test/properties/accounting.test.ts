import Fastify from 'fastify'
import fc from 'fast-check'
import t from 'tap'
import { BackendEntry } from '../../lib/mirror/backend-entry'
import { CopyOutcome } from '../../lib/mirror/copy-outcome'
import type { CopyInit, Engine } from '../../lib/engine/types'
import { BoundedLog } from '../../lib/log'
import { Histogram } from '../../lib/metrics/histogram'
import { Ring } from '../../lib/metrics/ring'
import { ExampleMemory } from '../../lib/mismatches/memory'
import { Mirror } from '../../lib/mirror/mirror'
import type { Period } from '../../lib/mirror/period'
import { readMirrorOptions } from '../../lib/options'
import type { DropReason, FailureReason, MismatchPart, NotComparedReason } from '../../types/index'
import { imbalances } from '../helpers/books'
import { holds, same } from '../helpers/property'

const ms = fc.oneof(fc.double({ min: -1e5, max: 1e5, noNaN: true }), fc.constantFrom(0, -0, 0.5, 1, 5, 1000, -0.00001))

t.test('latencies', async t => {
  await holds(t, 'have the percentiles of the last thousand, by nearest rank', fc.property(fc.array(ms, { maxLength: 2500, size: 'max' }), samples => {
    const ring = new Ring()
    for (const sample of samples) ring.add(sample)
    const sorted = samples.slice(-1000).sort((a, b) => a - b)
    // The least sample that at least so many percent of all are not above.
    const rank = (percent: number) => {
      if (sorted.length === 0) return null
      const found = sorted.find((_, i) => (i + 1) * 100 >= percent * sorted.length) as number
      return Math.round(found * 1000) / 1000 + 0
    }
    same(ring.summary(), { count: samples.length, p50: rank(50), p90: rank(90), p95: rank(95), p99: rank(99), max: rank(100) })
  }), 200)

  const bounds = fc.uniqueArray(fc.double({ min: -10, max: 10, noNaN: true }), { maxLength: 12 }).map(list => list.sort((a, b) => a - b))
  await holds(t, 'are counted in the buckets that they do not exceed', fc.property(bounds, fc.array(ms, { maxLength: 200 }), (bounds, samples) => {
    // Bounds that samples hit, too.
    const all = [...new Set([...bounds, ...samples.slice(0, 3).map(sample => sample / 1000)])].sort((a, b) => a - b)
    const histogram = new Histogram(all)
    for (const sample of samples) histogram.observe(sample)
    let cumulative = 0
    const found = Array.from(histogram.counts, count => (cumulative += count))
    const wanted = [...all, Infinity].map(bound => samples.filter(sample => sample / 1000 <= bound).length)
    same(found, wanted)
    const sum = samples.reduce((sum, sample) => sum + sample / 1000, 0)
    if (Math.abs(histogram.sum - sum) > 1e-6) throw new Error(`${histogram.sum}, wanted ${sum}`)
  }), 500)
})

type Skip = Parameters<Mirror['books']['skip']>[0]

const pick = <T>(list: readonly T[], at: number): T => list[at % list.length]

const SKIPS: Skip[] = ['disabled', 'filtered', 'looped', 'upgraded', 'unsampled']
const DROPS: DropReason[] = ['inFlight', 'memory', 'breaker', 'closing', 'thread', 'path', 'error']
const FAILURES: FailureReason[] = ['timeout', 'connect', 'reset', 'body', 'slow', 'staleConnection', 'bodyTimeout', 'memory', 'thread', 'aborted', 'error']
const UNCOMPARED: NotComparedReason[] = [
  'off', 'primaryAborted', 'primaryFailed', 'hijacked', 'encoding', 'conditional', 'memory', 'busy', 'thread', 'untapped', 'closing', 'error'
]
const PARTS: MismatchPart[][] = [['status'], ['headers'], ['body'], ['status', 'body'], ['status', 'headers', 'body']]

/** Whoever sends: nobody. What it would tell is made up. */
const budget = { limit: 0, take: () => false, free: () => {} }
const engine = { addTarget: () => null, retire: () => {}, budget, refusal: () => null } as unknown as Engine
const UNNAMED = { nameEndpoint () {} }
const NOWHERE = { keys: [], firsts: [], more: false }
const { log } = Fastify()

/** A mirror of two backends, and what is under way in it. */
class World {
  readonly mirror: Mirror
  readonly pending: Period[] = []
  readonly sent: Array<CopyInit<unknown>['sink']> = []
  readonly answered: Array<CopyInit<unknown>['sink']> = []
  /** Of requests whose endpoint is not known yet. */
  readonly unnamed: Array<{ period: Period, entries: BackendEntry[] }> = []
  /** What was ever told, whatever was reset. */
  seen = 0
  mirrored = 0
  outcomes = 0

  constructor (maxInFlight: number, failures: number) {
    const backends = ['http://a', 'http://b']
    const config = readMirrorOptions({ backends, maxInFlight, breaker: { failures }, maxEndpoints: 5 }, {}, { method: 'GET', url: '/' })
    this.mirror = new Mirror(config, { engine, log: new BoundedLog(log), onMismatch: null, main: { enabled: true }, bodyless: new Set(), histograms: true, endpointTotals: false, examples: new ExampleMemory(engine.budget) })
  }

  /** One event; `at`: which of those that could be meant. */
  happen (event: number, at: number): void {
    const { mirror, pending, sent, answered } = this
    switch (event) {
      case 0:
        this.seen++
        return mirror.books.skip(pick(SKIPS, at))
      case 1:
        this.seen++
        mirror.books.choose()
        pending.push(mirror.period)
        return
      case 2:
        return take(pending, at)?.books.abandon()
      case 3: {
        const period = take(pending, at)
        if (period !== undefined) this.#offer(period, at)
        return
      }
      case 4:
        return take(sent, at)?.onRefused(new Error('refused'))
      case 5: {
        const sink = take(sent, at)
        if (sink !== undefined) this.outcomes++
        return sink?.onFailed(pick(FAILURES, at), new Error('failed'))
      }
      case 6: {
        const sink = take(sent, at)
        if (sink === undefined) return
        this.outcomes++
        sink.onAnswered([200, 204, 302, 404, 503, 99, 600][at % 7], at)
        answered.push(sink)
        return
      }
      case 7:
        return take(answered, at)?.onNotCompared(pick(UNCOMPARED, at))
      case 8: {
        const difference = { primaryStatus: 200, shadowStatus: 500, primaryHash: '', shadowHash: '', differs: pick(PARTS, at), headers: [], body: null, places: NOWHERE }
        return take(answered, at)?.onCompared(at % 3 === 0 ? null : difference, at % 2 === 0 ? null : { primary: at, difference: -at })
      }
      case 10: {
        const { period, entries } = take(this.unnamed, at) ?? {}
        if (period === undefined) return
        const { endpoints } = period
        const endpoint = pick([endpoints.add('GET', `/${at % 5}`), endpoints.notFound, endpoints.other], at)
        for (const entry of entries as BackendEntry[]) entry.moveTo(endpoint)
        return
      }
      default:
        return mirror.reset()
    }
  }

  #offer (period: Period, at: number): void {
    this.mirrored++
    period.books.offer()
    const { endpoints } = period
    const known = at % 2 === 0
    const endpoint = known ? endpoints.add('GET', `/${at % 7}`) : endpoints.pending
    const entries: BackendEntry[] = []
    const entryOf = (index: number) => {
      const entry = new BackendEntry(period, endpoint, index)
      entries.push(entry)
      return entry
    }
    for (const [index, backend] of this.mirror.backends.entries()) {
      const roll = (at >> index) % 6
      const refusal = backend.gate.refusal(roll === 0, performance.now())
      if (roll === 1) entryOf(index).skip('disabled')
      else if (roll === 2) entryOf(index).skip('unsampled')
      else if (roll === 3) entryOf(index).drop(pick(DROPS, at))
      else if (refusal !== null) entryOf(index).drop(refusal)
      else {
        const attempt = started(new CopyOutcome(this.mirror, index, period, endpoint, UNNAMED, null, null, null))
        this.sent.push(attempt)
        entries.push(attempt.entry)
      }
    }
    if (!known) this.unnamed.push({ period, entries })
  }

  check (): void {
    const { mirror } = this
    same(imbalances(mirror.snapshot(), mirror.endpoints()), [], 'imbalances')
    const { books, backends } = mirror.totals()
    same([books.seen, books.mirrored], [this.seen, this.mirrored], 'totals of the mirror')
    same(backends.map(({ books }) => books.offered), [this.mirrored, this.mirrored], 'totals offered')
    const ended = backends.map(({ books }) => books.success + Object.values(books.failure).reduce((sum, count) => sum + count))
    same(ended[0] + ended[1], this.outcomes, 'totals ended')
    const inFlight = backends.map(({ books }) => books.inFlight)
    same(inFlight, mirror.backends.map(({ gate }) => gate.inFlight), 'in flight, as counted and as admitted')
    same(inFlight[0] + inFlight[1], this.sent.length, 'in flight')
    same(backends[0].books.comparing + backends[1].books.comparing, this.answered.length, 'comparing')
    if (inFlight.some(count => count > mirror.config.maxInFlight)) throw new Error(`${inFlight} in flight`)
  }
}

function started (attempt: CopyOutcome): CopyOutcome {
  attempt.start()
  return attempt
}

function take<T> (list: T[], at: number): T | undefined {
  return list.splice(at % (list.length || 1), 1)[0]
}

t.test('the books close after every event, in whatever order they come', async t => {
  const event = fc.tuple(fc.oneof({ weight: 9, arbitrary: fc.constantFrom(0, 1, 2, 3, 4, 5, 6, 7, 8, 10) }, { weight: 8, arbitrary: fc.constantFrom(1, 3, 6) }, { weight: 1, arbitrary: fc.constant(9) }), fc.nat(1e4))
  const events = fc.array(event, { maxLength: 120, size: 'max' })
  let ended = 0
  await holds(t, 'of a mirror and its backends, over resets', fc.property(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 4 }), events, (maxInFlight, failures, events) => {
    const world = new World(maxInFlight, failures)
    for (const [event, at] of events) {
      world.happen(event, at)
      world.check()
    }
    while (world.pending.length > 0) world.happen(2, 0)
    while (world.sent.length > 0) world.happen(5, 0)
    while (world.answered.length > 0) world.happen(7, 0)
    world.check()
    world.mirror.reset()
    world.check()
    ended += world.outcomes
  }), 300)
  t.ok(ended > 500, `${ended} copies ended`)
})

t.test('what is told too late of a copy changes nothing', async t => {
  const { mirror } = new World(5, 5)
  const { period } = mirror
  const attempt = started(new CopyOutcome(mirror, 0, period, period.endpoints.other, UNNAMED, null, null, null))
  attempt.fail(new Error('boom'))
  const before = JSON.stringify(mirror.snapshot())
  attempt.onAnswered(200, 1)
  attempt.onRefused(new Error('refused'))
  attempt.onFailed('reset', new Error('reset'))
  attempt.onNotCompared('off')
  attempt.onCompared(null, null)
  attempt.fail(new Error('again'))
  t.equal(JSON.stringify(mirror.snapshot()), before)
  t.match(mirror.snapshot().backends[0], { inFlight: 0, failure: { error: 1 } })
})
