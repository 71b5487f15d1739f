import t from 'tap'
import { RateTest } from '../lib/verdict/sequential'
import type { Seen } from '../lib/verdict/sequential'
import { shareErrors } from '../lib/verdict/shares'
import { seeded, simulate } from '../scripts/verdict/simulate'

const { own } = shareErrors(0.95, { own: 2, endpoint: 800 })
const LIMITS = [0.0001, 0.001, 0.01, 0.1]

t.test('the errors are shared', async (t) => {
  t.strictSame(own, { good: 0.05, bad: 0.0125 })
  t.strictSame(shareErrors(0.9, { own: 3, endpoint: 400 }), {
    own: { good: 0.1, bad: 0.1 / 2 / 3 }, endpoint: { good: 0.1, bad: 0.1 / 2 / 400 }
  })
})

t.test('at the limit and on the wrong side of it a conclusion is as rare as promised, exactly, at any number of looks', async (t) => {
  /** The probability that the test ever says it within `length`, by going through all that can happen. */
  const everSays = (test: RateTest, rate: number, wrong: 'good' | 'bad', length: number): number => {
    let open = [1]
    let said = 0
    for (let total = 1; total <= length; total++) {
      const next: number[] = new Array(total + 1).fill(0)
      for (let count = 0; count < open.length; count++) {
        next[count] += open[count] * (1 - rate)
        next[count + 1] += open[count] * rate
      }
      for (let count = 0; count <= total; count++) {
        if (next[count] < 1e-18 || test.judge({ count, total }) !== wrong) continue
        said += next[count]
        next[count] = 0
      }
      open = next
    }
    return said
  }
  for (const errors of [own, { good: 0.2, bad: 0.1 }]) {
    for (const limit of [0.1, 0.3, 0.7]) {
      const test = new RateTest(limit, errors)
      const good = [limit, (limit + 1) / 2].map(rate => everSays(test, rate, 'good', 300))
      const bad = [limit, limit / 2].map(rate => everSays(test, rate, 'bad', 300))
      t.ok(good[0] > errors.good / 10 && good[0] <= errors.good, `good at ${limit}: ${good[0]}`)
      t.ok(good[1] < good[0])
      t.ok(bad[0] > errors.bad / 10 && bad[0] <= errors.bad, `bad at ${limit}: ${bad[0]}`)
      t.ok(bad[1] < bad[0])
    }
  }
})

t.test('simulated after every comparison: it rarely errs, and decides in time', async (t) => {
  for (const limit of LIMITS) {
    const test = new RateTest(limit, own)
    const thousands = (count: number) => Math.ceil(count * 0.001 / limit)
    const run = (factor: number, runs = 400) => simulate(test, factor * limit, runs, thousands(200_000), seeded(factor * 100))
    const comment = `limit ${limit}`
    const none = run(0, 1)
    t.ok(none.good === 1 && (none.goodAt as number) <= thousands(4000), comment)
    const half = run(0.5)
    t.ok(half.good > 0.99 && half.bad <= 0.05 && (half.goodAt as number) <= thousands(30_000), comment)
    const at = run(1, 2000)
    t.ok(at.good <= 0.05 && at.bad <= 0.05, `${comment}: ${at.good} ${at.bad}`)
    for (const [factor, most] of [[2, 17_000], [3, 6000], [10, 800]] as const) {
      const over = run(factor)
      t.ok(over.bad > 0.99 && over.good <= 0.05 && (over.badAt as number) <= thousands(most), `${comment}: ${factor} times`)
    }
  }
  t.match(simulate(new RateTest(0.5, own), 1, 10, 100, seeded(1)), { good: 0, goodAt: null, bad: 1 }, 'all are bad')
})

t.test('a p95 at its limit is rarely found good, one 20 % over it hardly ever', async (t) => {
  const test = new RateTest(0.05, shareErrors(0.95, { own: 3, endpoint: 1 }).own)
  // Of differences that fall off exponentially, the share over the limit.
  const over = (times: number) => 0.05 ** (1 / times)
  const at = (times: number) => simulate(test, over(times), 2000, 10_000, seeded(7))
  t.ok(at(1).good <= 0.05)
  t.ok(at(1.2).good <= 0.01)
  t.ok(at(1.2).bad > 0.99)
  t.ok(at(0.5).good > 0.99)
})

t.test('a limit of 0: the first is too many, and none is enough once a tenth of a percent is ruled out', async (t) => {
  const test = new RateTest(0, own)
  t.equal(test.judge({ count: 0, total: 2994 }), 'undecided')
  t.equal(test.judge({ count: 0, total: 2995 }), 'good')
  t.equal(test.judge({ count: 1, total: 1_000_000 }), 'bad')
  t.equal(test.judge({ count: 1, total: 1 }), 'bad')
  const [low, high] = test.interval({ count: 0, total: 3000 })
  t.equal(low, 0)
  t.ok(Math.abs(high - (1 - 0.05 ** (1 / 3000))) < 1e-9, 'what is ruled out is what none of 3000 rule out')
  t.ok(test.interval({ count: 1, total: 1000 })[1] > 0.001)
  t.equal(test.decidedAt(0), 2995)
  t.equal(test.decidedAt(0.1), 1)
})

t.test('a limit of 1 is kept by whatever comes', async (t) => {
  const test = new RateTest(1, own)
  t.equal(test.judge({ count: 0, total: 0 }), 'undecided')
  t.equal(test.judge({ count: 10, total: 10 }), 'good')
  t.strictSame(test.interval({ count: 10, total: 10 })[1], 1)
  t.equal(test.decidedAt(0), 1)
})

t.test('the interval and the judgement never disagree, up to billions', async (t) => {
  const random = seeded(3)
  const states = new Set<string>()
  for (let i = 0; i < 3000; i++) {
    const limit = [...LIMITS, 0.5][Math.floor(random() * 5)]
    const total = Math.ceil(10 ** (random() * 9))
    const rate = Math.min(1, limit * 10 ** (random() - 0.5))
    const seen: Seen = { count: Math.round(rate * total), total, ...random() < 0.3 ? { open: Math.floor(random() * 3) } : {} }
    const test = new RateTest(limit, own)
    const state = test.judge(seen)
    const [low, high] = test.interval(seen)
    const told = low >= limit ? 'bad' : high <= limit ? 'good' : 'undecided'
    states.add(state)
    if (told !== state) t.fail(`${JSON.stringify(seen)} by ${limit}: ${low} to ${high} is ${state}`)
    if (!(low <= rate + 1 / total && high >= rate - 1 / total)) t.fail(`${JSON.stringify(seen)}: ${low} to ${high}`)
  }
  t.equal(states.size, 3)
  t.strictSame(new RateTest(0.1, own).interval({ count: 0, total: 0 }), [0, 1])
  t.equal(new RateTest(0.1, own).interval({ count: 1, total: 2 })[0], 0, 'one of the first proves nothing')
})

t.test('its ends are those where a test by that limit turns', async (t) => {
  for (const [count, total] of [[0, 100], [3, 400], [70, 100], [100, 100], [12_345, 10_000_000]]) {
    const [low, high] = new RateTest(0.3, own).interval({ count, total })
    const judge = (limit: number) => new RateTest(limit, own).judge({ count, total })
    if (low > 0) {
      t.equal(judge(low * (1 - 1e-6)), 'bad')
      t.not(judge(low * (1 + 1e-6)), 'bad')
    }
    if (high < 1) {
      t.equal(judge(high * (1 + 1e-6)), 'good')
      t.not(judge(high * (1 - 1e-6)), 'good')
    }
  }
})

t.test('what is open speaks against each conclusion', async (t) => {
  const test = new RateTest(0.01, own)
  t.equal(test.judge({ count: 0, total: 400 }), 'good')
  t.equal(test.judge({ count: 0, total: 400, open: 4 }), 'undecided')
  t.equal(test.judge({ count: 12, total: 200 }), 'bad')
  t.equal(test.judge({ count: 12, total: 200, open: 400 }), 'undecided')
  t.equal(test.judge({ count: 12, total: 200, doubtful: 10 }), 'undecided')
})

t.test('the total that decides does, and one less does not', async (t) => {
  let seen = 0
  for (const limit of [0.0005, 0.001, 0.01, 0.05, 0.3]) {
    const test = new RateTest(limit, own)
    for (const factor of [0, 0.3, 0.8, 0.95, 1.05, 1.2, 2, 3.3]) {
      const rate = factor * limit
      const total = test.decidedAt(rate) as number
      const judge = (total: number) => test.judge({ count: rate * total, total })
      t.equal(judge(total), factor < 1 ? 'good' : 'bad')
      t.equal(judge(total - 1), 'undecided')
      seen++
    }
    t.equal(test.decidedAt(limit), null)
  }
  t.equal(seen, 40)
})

t.test('a look takes microseconds', async (t) => {
  const test = new RateTest(0.001, own)
  let fastest = Infinity
  for (let round = 0; round < 5; round++) {
    const begun = performance.now()
    for (let i = 0; i < 1000; i++) {
      test.judge({ count: i, total: 1e6 })
      test.interval({ count: i, total: 1e6 })
    }
    fastest = Math.min(fastest, performance.now() - begun)
  }
  t.ok(fastest < 200, `${fastest} µs for one with its interval`)
})
