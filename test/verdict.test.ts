import t from 'tap'
import { verdict, wilsonInterval } from '../lib/metrics/verdict'
import type { VerdictCounts } from '../lib/metrics/verdict'
import type { VerdictConfig } from '../lib/options/config'
import { FAILED, zeroOf } from '../lib/reasons'

const LIMITS: VerdictConfig = { maxMismatchRate: 0.001, maxFailureRate: 0.01, maxSlowdown: null }

interface Changes {
  name?: string
  compared?: number
  mismatched?: number
  success?: number
  failure?: Partial<VerdictCounts['failure']>
  dropped?: Partial<VerdictCounts['dropped']>
  count?: number
  p95?: number | null
}

function backend (changes: Changes = {}): VerdictCounts {
  const { name = 'shadow', compared = 100_000, mismatched = 0, success = 100_000, failure, dropped, count = 0, p95 = null } = changes
  return {
    name,
    compared,
    mismatched,
    success,
    failure: { ...zeroOf(FAILED), ...failure },
    dropped: { inFlight: 0, memory: 0, breaker: 0, closing: 0, thread: 0, error: 0, ...dropped },
    latency: { difference: { count, p50: p95, p90: p95, p95, p99: p95, max: p95 } }
  }
}

/** The reason about something, of a single backend. */
function reason (about: string, counts: VerdictCounts, limits: Partial<VerdictConfig> = {}) {
  const [{ reasons }] = verdict([counts], { ...LIMITS, ...limits }).backends
  const found = reasons.find((each) => each.about === about)
  if (found === undefined) throw new Error(`no reason about ${about}`)
  return found
}

t.test('the interval is Wilson\'s', async (t) => {
  // Newcombe (1998), Statistics in Medicine 17, 857-872, table I, method 3, to four places.
  const cases: Array<[count: number, total: number, low: number, high: number]> = [
    [81, 263, 0.2553, 0.3662], [15, 148, 0.0624, 0.1605], [0, 20, 0, 0.1611], [1, 29, 0.0061, 0.1718], [29, 29, 0.883, 1], [0, 0, 0, 1]
  ]
  for (const [count, total, low, high] of cases) {
    t.same(wilsonInterval(count, total).map((end) => Math.round(end * 1e4) / 1e4), [low, high], `${count} of ${total}`)
  }
})

t.test('a rate wholly on one side of its limit is good or bad, across it is undecided', async (t) => {
  type Case = [mismatched: number, compared: number, limit: number, state: string, needed?: number | null]
  const cases: Case[] = [
    [0, 3837, 0.001, 'undecided', 1],
    [0, 3838, 0.001, 'good'],
    [0, 0, 0.001, 'undecided', 3838],
    [0, 1000, 0.001, 'undecided', 2838],
    [1, 1000, 0.001, 'undecided', null],
    [3, 3000, 0.001, 'undecided', null],
    [1, 10, 0.001, 'bad'],
    [1, 400, 0.001, 'undecided', 1306],
    [20, 10_000, 0.001, 'bad'],
    [10, 100_000, 0.001, 'good'],
    [3, 1000, 0.01, 'good'],
    [5, 1000, 0.01, 'undecided', 522],
    [500, 1000, 0.5, 'undecided', null],
    [600, 1000, 0.5, 'bad'],
    [400, 1000, 0.5, 'good'],
    [0, 3837, 0, 'undecided', 1],
    [0, 3838, 0, 'good'],
    [0, 0, 0, 'undecided', 3838],
    [1, 1_000_000, 0, 'bad'],
    [1, 1, 0, 'bad'],
    [10, 10, 1, 'good'],
    [0, 1, 1, 'good'],
    [0, 0, 1, 'undecided', 1]
  ]
  for (const [mismatched, compared, limit, state, needed] of cases) {
    const found = reason('mismatches', backend({ mismatched, compared }), { maxMismatchRate: limit })
    t.match(found, { state, count: mismatched, of: compared, limit }, `${mismatched} of ${compared} by ${limit}`)
    t.equal(found.needed, needed)
    t.equal(found.rate, compared === 0 ? null : mismatched / compared)
    t.same(found.interval, wilsonInterval(mismatched, compared))
  }
})

t.test('the number that is needed settles it at that rate, and one less does not', async (t) => {
  /** The interval for a rate, whole counts or not. */
  const settled = (rate: number, total: number, limit: number): boolean => {
    const [low, high] = wilsonInterval(rate * total, total)
    return low > limit || high <= limit
  }
  let seen = 0
  for (const limit of [0.0005, 0.001, 0.01, 0.05, 0.3]) {
    for (const total of [7, 40, 300, 1000, 9000]) {
      for (let mismatched = 0; mismatched < Math.min(total, 12); mismatched++) {
        const { needed } = reason('mismatches', backend({ mismatched, compared: total }), { maxMismatchRate: limit })
        if (needed === undefined || needed === null) continue
        seen++
        const rate = mismatched / total
        if (!settled(rate, total + needed, limit)) t.fail(`${mismatched} of ${total} by ${limit}: ${needed} do not settle it`)
        if (needed > 1 && settled(rate, total + needed - 1, limit)) t.fail(`${mismatched} of ${total} by ${limit}: fewer than ${needed} do`)
      }
    }
  }
  t.ok(seen > 50)
})

t.test('failures count that the backend is answerable for', async (t) => {
  const failure = { timeout: 1, connect: 2, reset: 4, body: 8, slow: 16, memory: 500, aborted: 1000 }
  t.match(reason('failures', backend({ failure, success: 100 })), { count: 31, of: 131, state: 'bad' })
  t.match(reason('failures', backend({ failure: { aborted: 50_000 } })), { count: 0, of: 100_000, state: 'good' })
  t.match(reason('aborted', backend({ failure: { aborted: 3 } })), {
    state: 'told', count: 3, text: 'copies cut by the client or by this app: 3, neither for nor against'
  })
  t.match(reason('failures', backend({ success: 0 })), { state: 'undecided', of: 0, rate: null, needed: 381 })
})

t.test('dropped copies are told, and count neither for nor against', async (t) => {
  const counts = backend({ dropped: { inFlight: 90_000, memory: 1, error: 2 } })
  t.match(reason('dropped', counts), {
    state: 'told', count: 90_003, text: 'copies dropped unsent: 90003, neither for nor against'
  })
  t.equal(verdict([counts], LIMITS).verdict, 'ready')
  t.same(verdict([backend()], LIMITS).backends[0].reasons.map(({ about }) => about), ['mismatches', 'failures'])
})

t.test('the slowdown is judged at p95 of at least 100 pairs, where there is a limit', async (t) => {
  const cases: Array<[count: number, p95: number | null, state: string, needed?: number]> = [
    [0, null, 'undecided', 100], [99, 1, 'undecided', 1], [99, 1000, 'undecided', 1], [100, 50, 'good'], [100, 50.001, 'bad'], [5000, -3, 'good']
  ]
  for (const [count, p95, state, needed] of cases) {
    const found = reason('slowdown', backend({ count, p95 }), { maxSlowdown: 50 })
    t.match(found, { state, count, p95, limit: 50 }, `${p95} of ${count}`)
    t.equal(found.needed, needed)
  }
  t.equal(reason('slowdown', backend({ count: 5000, p95: 61.5 }), { maxSlowdown: 50 }).text,
    'slowdown: 61.5 ms at p95 of the last 1000 pairs; over the limit of 50 ms')
  t.equal(reason('slowdown', backend({ count: 40, p95: 5 }), { maxSlowdown: 50 }).text,
    'slowdown: 40 pairs; 60 more are needed to judge by the limit of 50 ms')
  t.equal(reason('slowdown', backend({ count: 100, p95: 5 }), { maxSlowdown: 0 }).state, 'bad', 'a limit of 0 is one')
})

t.test('any bad reason is not ready, else any undecided one asks for more data, of all backends', async (t) => {
  const good = backend({ name: 'good' })
  const bad = backend({ name: 'bad', mismatched: 1000 })
  const open = backend({ name: 'open', compared: 10 })
  const both = backend({ name: 'both', compared: 10, failure: { timeout: 90_000 } })
  const cases: Array<[VerdictCounts[], string]> = [
    [[good], 'ready'], [[bad], 'not ready'], [[open], 'not enough data'], [[both], 'not ready'], [[good, open], 'not enough data'],
    [[open, good, bad], 'not ready'], [[good, good], 'ready']
  ]
  for (const [backends, expected] of cases) {
    const found = verdict(backends, LIMITS)
    t.equal(found.verdict, expected, backends.map(({ name }) => name).join(' '))
    t.same(found.backends.map(({ name }) => name), backends.map(({ name }) => name))
  }
  t.same(verdict([good, bad, open], LIMITS).backends.map((each) => each.verdict), ['ready', 'not ready', 'not enough data'])
  t.same(JSON.parse(JSON.stringify(verdict([good, bad, open], LIMITS))), verdict([good, bad, open], LIMITS), 'plain data')
})

t.test('reasons say it in words and numbers', async (t) => {
  const cases: Array<[mismatched: number, compared: number, limit: number, text: string]> = [
    [2, 40_000, 0.001, 'mismatches: 2 of 40000 comparisons, 0.005 %, with 95 % confidence 0.00137 % to 0.0182 %; within the limit of 0.1 %'],
    [500, 1000, 0.001, 'mismatches: 500 of 1000 comparisons, 50 %, with 95 % confidence 46.9 % to 53.1 %; over the limit of 0.1 %'],
    [0, 1000, 0.001, 'mismatches: 0 of 1000 comparisons, 0 %, with 95 % confidence 0 % to 0.383 %; not clear of the limit of 0.1 %: 2838 more would settle it at this rate'],
    [1, 1000, 0.001, 'mismatches: 1 of 1000 comparisons, 0.1 %, with 95 % confidence 0.0177 % to 0.564 %; not clear of the limit of 0.1 %: exactly at it, which no number of them would settle'],
    [0, 0, 0.001, 'mismatches: no comparisons yet; not clear of the limit of 0.1 %: 3838 more would settle it if none is bad'],
    [0, 5000, 0, 'mismatches: 0 of 5000 comparisons, 0 %, with 95 % confidence 0 % to 0.0768 %; none, and enough comparisons to keep the limit of 0 %'],
    [1, 5000, 0, 'mismatches: 1 of 5000 comparisons, 0.02 %, with 95 % confidence 0.00353 % to 0.113 %; over the limit of 0 %']
  ]
  for (const [mismatched, compared, maxMismatchRate, text] of cases) {
    t.equal(reason('mismatches', backend({ mismatched, compared }), { maxMismatchRate }).text, text)
  }
})
