import t from 'tap'
import { BackendBooks } from '../lib/metrics/books'
import { readMirrorOptions } from '../lib/options'
import { Judge, worst } from '../lib/verdict/judge'
import type { BackendFacts, MirrorFacts } from '../lib/verdict/judge'
import { Outages } from '../lib/verdict/outages'
import { newPeriod, periodStart } from '../lib/verdict/period'
import { percent, percentBeside, span, times } from '../lib/verdict/words'
import type { MirrorOptions, VerdictOptions } from '../types/index'

interface Changes extends Partial<Pick<BackendFacts, 'name' | 'breaker' | 'since' | 'outages' | 'endpoints'>> {
  compared?: number
  mismatched?: number
  success?: number
  comparing?: number
  unread?: number
  unsampled?: number
  slower?: number
  pairs?: number
  failure?: Partial<BackendBooks['failure']>
  dropped?: Partial<BackendBooks['dropped']>
  notCompared?: Partial<BackendBooks['notCompared']>
}

function backend (changes: Changes = {}): BackendFacts {
  const {
    name = 'shadow', breaker = 'closed', since = null, outages = { count: 0, ms: 0, copies: 0 }, endpoints = [],
    compared = 100_000, mismatched = 0, success = 100_000, failure, dropped, notCompared, pairs = 0, ...counts
  } = changes
  const books = new BackendBooks()
  Object.assign(books, { compared, mismatched, success, ...counts })
  Object.assign(books.failure, failure)
  Object.assign(books.dropped, dropped)
  Object.assign(books.notCompared, notCompared)
  books.latency.difference.count = pairs
  return { name, books, breaker, since, outages, endpoints }
}

function judgeOf (verdict: VerdictOptions = {}, options: Partial<MirrorOptions> = {}): Judge {
  const raw = { backends: ['http://a'], compare: { enabled: true }, ...options, verdict }
  return new Judge(readMirrorOptions(raw, {}, { method: 'GET', url: '/' }))
}

const MIRROR: MirrorFacts = { age: 0, unsampled: 0 }

function reasons (facts: BackendFacts, verdict?: VerdictOptions, mirror = MIRROR, options?: Partial<MirrorOptions>) {
  return judgeOf(verdict, options).verdict([facts], mirror).backends[0].reasons
}

/** The reason about something, of a single backend. */
function reason (about: string, facts: BackendFacts, verdict?: VerdictOptions, mirror?: MirrorFacts, options?: Partial<MirrorOptions>) {
  const found = reasons(facts, verdict, mirror, options).find(each => each.about === about)
  if (found === undefined) throw new Error(`no reason about ${about}`)
  return found
}

t.test('a rate clear of its limit is good or bad, else undecided, with what would settle it', async (t) => {
  const cases: Array<[mismatched: number, compared: number, limit: number, state: string, needed?: number | null]> = [
    [0, 0, 0.001, 'undecided', 3809],
    [0, 1000, 0.001, 'undecided', 2809],
    [0, 3809, 0.001, 'good'],
    [1, 10, 0.001, 'undecided', 11],
    [1, 1, 0.001, 'undecided', 1],
    [2, 2, 0.001, 'bad'],
    [3, 3000, 0.001, 'undecided', null],
    [0, 0, 0, 'undecided', 2995],
    [0, 3000, 0, 'good'],
    [1, 1_000_000, 0, 'bad'],
    [10, 10, 1, 'good'],
    [0, 0, 1, 'undecided', 1]
  ]
  for (const [mismatched, compared, limit, state, needed] of cases) {
    const found = reason('mismatches', backend({ mismatched, compared }), { maxMismatchRate: limit })
    const comment = `${mismatched} of ${compared} by ${limit}`
    t.match(found, { state, count: mismatched, of: compared, limit, rate: compared === 0 ? null : mismatched / compared }, comment)
    t.equal(found.needed, needed, comment)
  }
})

t.test('reasons say it in words and numbers', async (t) => {
  const cases: Array<[mismatched: number, compared: number, limit: number, text: string | RegExp]> = [
    [2, 40_000, 0.001, /^mismatches: 2 of 40000 comparisons, 0\.005 %; with 95 % confidence at most 0\.0302 %; within the limit of 0\.1 %$/],
    [500, 1000, 0.001, /^mismatches: 500 of 1000 comparisons, 50 %; with 95 % confidence at least 4\d\.?\d* %; over the limit of 0\.1 %$/],
    [0, 1000, 0.001, 'mismatches: 0 of 1000 comparisons, 0 %; with 95 % confidence at most 0.38 %; not clear of the limit of 0.1 %: 2809 more would settle it at this rate'],
    [3, 2000, 0.001, /; with 95 % confidence at least 0\.0\d* % and at most 0\.\d+ %; not clear of the limit of 0\.1 %: \d+ more would settle it at this rate$/],
    [1, 1000, 0.001, /: too close to it for any number of them to settle it$/],
    [0, 0, 0.001, 'mismatches: no comparisons yet; 3809 comparisons would settle it if none is bad'],
    [0, 5000, 0, 'mismatches: 0 of 5000 comparisons, 0 %; with 95 % confidence at most 0.0599 %; none, and enough to keep the limit of 0 %'],
    [1, 5000, 0, 'mismatches: 1 of 5000 comparisons, 0.02 %; one is over the limit of 0 %']
  ]
  for (const [mismatched, compared, maxMismatchRate, text] of cases) {
    t.match(reason('mismatches', backend({ mismatched, compared }), { maxMismatchRate }).text, text)
  }
  t.match(reason('mismatches', backend({ compared: 1000 }), {}, { ...MIRROR, age: 60_000 }).text,
    /: 2809 more would settle it at this rate, in about 3 min at the pace so far$/)
  t.match(reason('mismatches', backend({ compared: 6000 }), { confidence: 0.99 }).text, /with 99 % confidence/)
  t.equal(reason('mismatches', backend({ compared: 4000 }), { confidence: 0.99 }).state, 'undecided')
})

t.test('what may turn out either way speaks against each conclusion', async (t) => {
  const open = reason('mismatches', backend({ compared: 4000, comparing: 2, notCompared: { busy: 1 } }))
  t.match(open, { state: 'undecided', count: 0, of: 4000, unsure: 3 })
  t.match(open.text, /^mismatches: 0 of 4000 comparisons.*; 3 answers may yet turn out as mismatches or not$/)
  t.equal(open.needed, 3, 'they are what is missing')
  t.match(reason('mismatches', backend({ compared: 30_000, comparing: 3 })), { state: 'good', unsure: 3 })
  t.match(reason('mismatches', backend({ compared: 1000, mismatched: 20 })), { state: 'bad' })
  const unread = reason('mismatches', backend({ compared: 1000, mismatched: 20, unread: 20 }))
  t.match(unread, { state: 'undecided', count: 20, unsure: 20 })
  t.match(unread.needed, Number)
  t.match(reason('mismatches', backend({ compared: 1000, mismatched: 20, comparing: 19_000 })), { state: 'undecided' })
})

t.test('the tests against it share the error, among backends too; those for it do not', async (t) => {
  const facts = backend({ compared: 2000, mismatched: 9 })
  t.equal(reason('mismatches', facts).state, 'bad')
  t.equal(reason('mismatches', facts, {}, MIRROR, { backends: ['http://a', 'http://b', 'http://c', 'http://d'] }).state, 'undecided')
  t.equal(reason('mismatches', backend({ compared: 3809 }), { maxSlowdown: 1 }, MIRROR, { backends: ['http://a', 'http://b'] }).state, 'good')
})

t.test('failures count that the backend is answerable for, and what the breaker dropped', async (t) => {
  const failure = { timeout: 1, connect: 2, reset: 4, body: 8, slow: 16, memory: 500, aborted: 1000, staleConnection: 1000 }
  t.match(reason('failures', backend({ failure, success: 100 })), { count: 31, of: 131, state: 'bad' })
  t.match(reason('failures', backend({ dropped: { breaker: 4000 } })), { count: 4000, of: 104_000, state: 'bad' })
  t.match(reason('failures', backend({ failure: { aborted: 50_000, memory: 50_000 } })), { count: 0, of: 100_000, state: 'good' })
  t.match(reason('failures', backend({ success: 0 })), { state: 'undecided', of: 0, rate: null, needed: 380 })
})

t.test('an outage is told as one', async (t) => {
  const facts = backend({ dropped: { breaker: 4000 }, outages: { count: 1, ms: 5000, copies: 4050 } })
  t.match(reason('outages', facts), {
    state: 'told',
    count: 1,
    text: 'outages: 1 outage of 5 s, 4050 copies; they count as failures: once it is known why, reset the counters to judge without them'
  })
  t.match(reason('outages', backend({ outages: { count: 3, ms: 500, copies: 9 } })).text, /^outages: 3 outages of 500 ms, 9 copies/)

  const outages = new Outages()
  t.strictSame(outages.summary(100), { count: 0, ms: 0, copies: 0 })
  outages.begin(100)
  t.match(outages, { since: Date })
  t.match(outages.summary(150), { count: 1, copies: 50 })
  outages.end(200)
  t.equal(outages.since, null)
  outages.begin(300)
  outages.end(301)
  t.match(outages.summary(400), { count: 2, copies: 101 })
})

t.test('a breaker that is not closed is not ready', async (t) => {
  const since = new Date(Date.now() - 12_500)
  for (const breaker of ['open', 'half-open'] as const) {
    const found = reason('breaker', backend({ breaker, since }))
    t.equal(found.state, 'bad')
    t.equal(found.text, `breaker: ${breaker} since ${since.toISOString()}, for 13 s: the backend failed again and again`)
  }
  t.match(reason('breaker', backend({ breaker: 'open' })), { count: 0, text: 'breaker: open: the backend failed again and again' })
})

t.test('coverage: of what should have been compared, enough must have been', async (t) => {
  const blind = backend({ compared: 80_000, notCompared: { encoding: 19_000 }, failure: { timeout: 1000 } })
  t.match(reason('coverage', blind), { state: 'undecided', count: 80_000, of: 100_000, rate: 0.8, limit: 0.9 })
  t.equal(reason('coverage', blind).text, 'coverage: 80000 of 100000 copies were compared, 80 %; at least 90 % are needed; ' +
    'lost: 19000 other encoding, 1000 timeout. Most of all other encoding: The bodies come in content codings that could not be taken off, or not within maxBodyCapture.')
  t.equal(judgeOf().verdict([blind], MIRROR).verdict, 'not enough data')
  t.match(reason('coverage', blind, { minCoverage: 0.8 }), { state: 'good', text: /80 %; lost: 19000 other encoding, 1000 timeout$/ })
  t.match(reason('coverage', backend({ dropped: { inFlight: 20_000 } })), { state: 'undecided' })
  t.match(reason('coverage', backend({ failure: { memory: 20_000 } })), { state: 'undecided' }, 'of our own memory, too')
  t.match(reason('coverage', backend({ failure: { staleConnection: 90_000, aborted: 9 }, notCompared: { primaryFailed: 90_000 } })),
    { state: 'good', rate: 1, text: 'coverage: 100000 of 100000 copies were compared, 100 %' })
  t.match(reason('coverage', backend({ compared: 0 })), { state: 'undecided', rate: null, text: 'coverage: nothing was compared yet' })
  t.match(reason('coverage', backend({ compared: 0 }), { minCoverage: 0 }), { state: 'good' })
})

t.test('a mirror that compares nothing says so', async (t) => {
  const facts = backend({ compared: 0, notCompared: { off: 100_000 } })
  const found = reasons(facts, {}, MIRROR, { compare: { enabled: false } })
  t.match(found, [{ about: 'failures', state: 'good' }, { about: 'coverage', state: 'undecided', text: /this mirror compares nothing/ }])
  t.equal(found.length, 2)
})

t.test('a capped mirror says that its sample is not random', async (t) => {
  const found = reason('sample', backend({ dropped: { inFlight: 30, memory: 2, thread: 1 } }))
  t.match(found, { state: 'told', count: 33 })
  t.equal(found.text, 'sample: 33 copies were dropped at limits of the mirror (30 too many in flight, 2 no memory, 1 thread away), ' +
    'mostly in busy moments: what was compared is no random sample')
})

t.test('what was left out is told, and counts neither for nor against', async (t) => {
  const facts = backend({ unsampled: 5, failure: { aborted: 3, staleConnection: 4 }, notCompared: { primaryAborted: 1 }, dropped: { closing: 2 } })
  t.match(reason('left out', facts, {}, { ...MIRROR, unsampled: 7 }), {
    state: 'told',
    count: 22,
    text: 'left out, neither for nor against: 12 not sampled, 4 stale connection, 3 aborted, 2 app closing, 1 client left'
  })
  t.match(reason('left out', backend({ unsampled: 5 })).text, /: 5 not sampled$/)
  t.match(reason('left out', backend({ failure: { aborted: 5 } })).text, /: 5 aborted$/)
  t.equal(judgeOf().verdict([facts], MIRROR).verdict, 'ready')
  t.strictSame(reasons(backend()).map(({ about }) => about), ['mismatches', 'failures', 'coverage'])
})

t.test('a period must have lasted as long as is asked for', async (t) => {
  const found = reason('duration', backend(), { minDuration: '1h' }, { ...MIRROR, age: 12 * 60_000 })
  t.match(found, { state: 'undecided', count: 720_000, limit: 3_600_000, text: 'duration: 12 min of the 60 min that are asked for; 48 min more' })
  t.equal(judgeOf({ minDuration: 1000 }).verdict([backend()], { ...MIRROR, age: 999 }).verdict, 'not enough data')
  t.equal(judgeOf({ minDuration: 1000 }).verdict([backend()], { ...MIRROR, age: 1000 }).verdict, 'ready')
})

t.test('the slowdown is judged by the share of slower pairs, where there is a limit', async (t) => {
  const of = (pairs: number, slower: number) => reason('slowdown', backend({ pairs, slower }), { maxSlowdown: 50 })
  t.match(of(0, 0), { state: 'undecided', count: 0, of: 0, p95: null, limit: 50, needed: 75, text: 'slowdown: no pairs yet; 75 pairs would settle it if none is bad' })
  t.match(of(1000, 20), { state: 'good', text: /^slowdown: 20 of 1000 pairs are slower by more than 50 ms, 2 %; with 95 % confidence at most 3\.\d+ %; within the 5 % that may be$/ })
  t.match(of(1000, 100), { state: 'bad', text: /over the 5 % that may be$/ })
  t.match(of(1000, 50), { state: 'undecided', needed: null })
  t.equal(reason('mismatches', backend(), { maxSlowdown: 0 }).state, 'good')
})

t.test('books count slower pairs, and mismatches that were not looked into', async (t) => {
  const books = new BackendBooks(null, 50)
  for (const difference of [50, 50.001, -3, 1000]) {
    books.answer(200, 1)
    books.compare(null, { primary: 1, difference })
  }
  t.match(books, { slower: 2, compared: 4 })
  const hash = (reason: 'too long' | 'too complex' | 'off') => ({ kind: 'hash' as const, reason })
  books.compare({ differs: ['body'], body: hash('too long') }, null)
  books.compare({ differs: ['body'], body: hash('too complex') }, null)
  t.equal(books.unread, 2)
  books.compare({ differs: ['body'], body: hash('off') }, null)
  books.compare({ differs: ['status', 'body'], body: hash('too long') }, null)
  books.compare({ differs: ['status'], body: null }, null)
  t.equal(books.unread, 2)
  t.equal(books.mismatched, 5)
})

t.test('any bad reason is not ready, else any undecided one asks for more data, of all backends', async (t) => {
  const good = backend({ name: 'good' })
  const bad = backend({ name: 'bad', mismatched: 1000 })
  const open = backend({ name: 'open', compared: 10 })
  const both = backend({ name: 'both', compared: 10, failure: { timeout: 90_000 } })
  const cases: Array<[BackendFacts[], string]> = [
    [[good], 'ready'], [[bad], 'not ready'], [[open], 'not enough data'], [[both], 'not ready'], [[good, open], 'not enough data'],
    [[open, good, bad], 'not ready'], [[good, good], 'ready']
  ]
  const judge = judgeOf()
  for (const [backends, expected] of cases) {
    const found = judge.verdict(backends, MIRROR)
    t.equal(found.verdict, expected, backends.map(({ name }) => name).join(' '))
    t.same(found.backends.map(({ name }) => name), backends.map(({ name }) => name))
  }
  const found = judge.verdict([good, bad, open], MIRROR)
  t.same(found.backends.map((each) => each.verdict), ['ready', 'not ready', 'not enough data'])
  t.same(JSON.parse(JSON.stringify(found)), found, 'plain data')
  t.equal(worst([]), 'not enough data')
})

t.test('a verdict takes less than a millisecond', async (t) => {
  const judge = judgeOf({ maxSlowdown: 50 })
  const facts = backend({ mismatched: 37, failure: { timeout: 300 }, pairs: 100_000, slower: 4000 })
  let fastest = Infinity
  for (let i = 0; i < 50; i++) {
    const begun = performance.now()
    judge.verdict([facts], { age: 1000, unsampled: 0 })
    fastest = Math.min(fastest, performance.now() - begun)
  }
  t.ok(fastest < 1, `${fastest} ms`)
})

t.test('periods have ids that sort by time, and are told by id or time', async (t) => {
  const [first, second] = [newPeriod(), newPeriod()]
  t.ok(second.id > first.id)
  t.ok(second.since > first.since, 'even within a millisecond')
  t.equal(periodStart(first.id), first.since.getTime())
  t.equal(periodStart('2026-01-02T03:04:05Z'), Date.UTC(2026, 0, 2, 3, 4, 5))
  t.equal(periodStart('2026-01-02T03:04+01:00'), Date.UTC(2026, 0, 2, 2, 4))
  for (const wrong of ['', 'yesterday', '2026-01-02', '2026-13-02T03:04:05Z', '1', first.id + 'x']) t.equal(periodStart(wrong), null, wrong)
})

t.test('numbers as words', async (t) => {
  t.equal(percent(0.12345), '12.3 %')
  t.equal(percentBeside(0.00100001, 0.001), '0.100001 %')
  t.equal(percentBeside(0.2, 0.001), '20 %')
  t.equal(percentBeside(0.1, 0.1), '10 %')
  t.equal(percentBeside(0.1 + 1e-16, 0.1), '10 %')
  t.strictSame([0, 999, 1999, 5000, 119_000, 720_000, 7_200_000, 172_800_000].map(span),
    ['0 ms', '999 ms', '1999 ms', '5 s', '119 s', '12 min', '2 h', '2 d'])
  t.strictSame([times(1, 'outage'), times(2, 'outage')], ['1 outage', '2 outages'])
})
