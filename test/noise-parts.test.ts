import t from 'tap'
import { Digest } from '../lib/compare/digest'
import { createRedactor } from '../lib/compare/redact'
import { SHAPE, numberShape, shapeName, stepOf, textShape, wider } from '../lib/compare/shape'
import { placesOf } from '../lib/compare/places'
import type { DifferencePlaces } from '../lib/compare/places'
import { Entry } from '../lib/endpoints/entry'
import { isQuery } from '../lib/endpoints/graphql'
import { Endpoint } from '../lib/endpoints/table'
import { Budget } from '../lib/engine/budget'
import type { Exchange } from '../lib/engine/exchange'
import { Repeat } from '../lib/engine/repeat'
import type { Target } from '../lib/engine/target'
import type { CopySink, ExchangeHandle } from '../lib/engine/types'
import { UNTOLD } from '../lib/guard'
import type { Mirror } from '../lib/mirror/mirror'
import type { Period } from '../lib/mirror/period'
import { RepeatOutcome } from '../lib/mirror/repeat-outcome'
import type { RepeatSource } from '../lib/mirror/repeats'
import { BackendBooks, MirrorBooks } from '../lib/metrics/books'
import { Allowance } from '../lib/noise/allowance'
import { Evidence } from '../lib/noise/evidence'
import { bytesOf, exampleOf } from '../lib/noise/examples'
import { mayBeAccepted, proposalsOf, ruleOf, showProposal } from '../lib/noise/proposals'
import { explains, tightest, wordsOf } from '../lib/noise/rule'
import { Spot } from '../lib/noise/spot'
import { readMirrorOptions } from '../lib/options'
import { Judge } from '../lib/verdict/judge'
import { memoryOf } from './helpers/places'

t.test('a share is never passed, whatever comes', async t => {
  for (const percentage of [0, 0.1, 5, 33.3, 100]) {
    const allowance = new Allowance(percentage)
    let taken = 0
    for (let copies = 1; copies <= 5000; copies++) {
      allowance.earn(1)
      if (copies % 7 !== 0 && allowance.take()) taken++
      if (taken > copies * percentage / 100 + 1e-9) return t.fail(`${taken} of ${copies} at ${percentage} %`)
    }
    t.ok(taken > 0.8 * Math.floor(5000 * percentage / 100) - 1, `${percentage} %`)
  }
  const idle = new Allowance(50)
  idle.earn(1000)
  let burst = 0
  while (idle.take()) burst++
  t.equal(burst, 10, 'what is saved is bounded')
})

t.test('what two values look like', async t => {
  const uuid = '6f1e1c2a-6a3e-4f8e-9d2b-0a1b2c3d4e5f'
  const name = (a: string, b: string) => shapeName(textShape(a, b))
  t.equal(name(uuid, uuid.toUpperCase()), 'uuid')
  t.equal(name('01ARZ3NDEKTSV4RRFFQ69G5FAV', '01ARZ3NDEKTSV4RRFFQ69G5FAW'), 'ulid')
  t.equal(name('2026-01-01T00:00:00Z', 'Thu, 01 Jan 2026 00:00:01 GMT'), 'date-time')
  t.equal(name('2026-01-01', '2026-01-02'), 'date')
  t.equal(name('https://a/b', 'https://a/c'), 'url')
  t.equal(name('a', uuid), 'opaque')
  t.equal(name('a b', 'a'), 'type')
  t.equal(name('', 'a'), 'type')
  t.equal(name('1', '1.5'), 'digits')
  t.equal(name('a', 'b'.repeat(513)), 'type', 'what is long is not looked at')
  t.equal(stepOf(numberShape('1', '1.0000000001')), 0)
  t.equal(stepOf(numberShape('0', '0.1')), stepOf(numberShape('1', '-1')), 'too far for any step')
  t.equal(wider(textShape('1', '1.1'), textShape('1', '2')), textShape('1', '2'))
  for (const [a, b, both] of [
    [SHAPE.uuid, SHAPE.url, SHAPE.opaque], [SHAPE.uuid, SHAPE.type, SHAPE.type], [SHAPE.type, SHAPE.digits, SHAPE.type],
    [SHAPE.number, SHAPE.type, SHAPE.other], [SHAPE.absent, SHAPE.uuid, SHAPE.other], [SHAPE.order, SHAPE.order, SHAPE.order]
  ]) {
    t.equal(wider(a, b), both)
    t.equal(wider(b, a), both)
  }
})

t.test('a rule explains no more than what it is for', async t => {
  const all = Object.values(SHAPE)
  const explained = (shapes: number[], ofHeader = false) => {
    const rule = tightest(shapes, ofHeader)
    return [rule.kind, all.filter(shape => explains(rule, shape)).map(shapeName)]
  }
  t.strictSame(explained([SHAPE.order]), ['unordered', ['order']])
  t.strictSame(explained([SHAPE.absent]), ['optional', ['absent']])
  t.strictSame(explained([SHAPE.uuid]), ['format', ['uuid']])
  t.strictSame(explained([SHAPE.number]), ['tolerance', ['number', 'digits']])
  t.strictSame(explained([SHAPE['date-time']]), ['tolerance', ['date-time']])
  t.strictSame(explained([SHAPE.uuid, SHAPE.ulid]), ['format', ['digits', 'date-time', 'date', 'uuid', 'ulid', 'url', 'opaque']])
  t.strictSame(explained([SHAPE.type]), ['type', ['number', 'digits', 'date-time', 'date', 'uuid', 'ulid', 'url', 'opaque', 'type']])
  t.strictSame(explained([SHAPE.type], true), ['presence', all.map(shapeName).filter(name => name !== 'absent')])
  t.strictSame(explained([SHAPE.absent, SHAPE.uuid]), ['ignore', all.map(shapeName)])
})

t.test('what differs beside JSON looks like something where somebody asked for it', async t => {
  const headers = [
    { name: 'a', primary: ['1'], shadow: ['2'] }, { name: 'b', primary: [], shadow: ['x'] },
    { name: 'c', primary: ['x'], shadow: [] }, { name: 'd', primary: ['x', 'y'], shadow: ['z'] },
    { name: 'e', primary: ['x'], shadow: ['y', 'z'] }
  ]
  const { keys, shapes = [] } = placesOf(200, 500, headers, false, null, undefined, true)
  t.strictSame(keys, ['changed status 200→500', 'changed header:a', 'added header:b', 'removed header:c', 'changed header:d', 'changed header:e'])
  t.strictSame(shapes.map(shapeName), ['other', 'digits', 'absent', 'absent', 'other', 'other'])
  t.notOk('shapes' in placesOf(200, 500, headers, false, null, undefined))
  t.equal(placesOf(200, 200, [], false, { kind: 'hash', reason: 'off' }, undefined, true).shapes?.map(shapeName).join(), 'other')
  const json = { keys: ['changed /a', 'changed '], firsts: [0, 1], more: false, shapes: [SHAPE.uuid, SHAPE.order] }
  t.match(placesOf(200, 500, [], false, null, json, true), { keys: { 2: 'changed body' }, shapes: [SHAPE.other, SHAPE.uuid, SHAPE.order] })
})

t.test('a body that asks GraphQL queries alone', async t => {
  const of = (value: unknown) => isQuery(Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)))
  for (const good of [{ query: '{ a }' }, { query: ' # no\n query A { a }' }, [{ query: '{ a }' }], 'query A { a }', '{ a }']) t.ok(of(good), JSON.stringify(good))
  for (const bad of [{}, null, 1, { query: 'mutation { a }' }, [{ query: '{ a }' }, {}], { query: 'subscription A { a }' }, '', '\x1f\x8b', 'mutation { a }']) {
    t.notOk(of(bad), JSON.stringify(bad))
  }
})

/** Evidence of one endpoint, of one backend. */
function evidenceOf (limit = 100, memory = memoryOf()) {
  const endpoint = new Endpoint('GET /')
  const evidence = new Evidence(limit, 1, memory, createRedactor([]))
  const places = (keys: string[], shapes?: number[]): DifferencePlaces => ({ keys, firsts: keys.map(() => 0), more: false, shapes })
  const differences = [{ pointer: '/a', change: 'changed' as const, primary: '1', shadow: '2' }]
  const headers = [{ name: 'set-cookie', primary: ['session=secret'], shadow: [] }]
  return {
    endpoint,
    evidence,
    memory,
    within: (...[keys, shapes]: Parameters<typeof places>) => evidence.repeat(endpoint, {
      primaryStatus: 200,
      shadowStatus: 200,
      primaryHash: '',
      shadowHash: '',
      differs: ['body'],
      headers,
      body: { kind: 'json', differences, truncated: false },
      places: places(keys, shapes)
    }),
    same: (times: number) => { for (let i = 0; i < times; i++) evidence.repeat(endpoint, null) },
    cached: (times: number) => { for (let i = 0; i < times; i++) evidence.cached(endpoint) },
    between (...[keys, shapes]: Parameters<typeof places>) {
      endpoint.of(0).counts[3]++
      evidence.mismatch(endpoint, 0, places(keys, shapes), true)
    },
    matched: (times: number) => { endpoint.of(0).counts[2] += times },
    proposals: () => proposalsOf(evidence, { backends: 1 })
  }
}

t.test('what differs between versions clearly more often than within one is not proposed', async t => {
  const { within, same, between, matched, proposals, evidence } = evidenceOf()
  same(400)
  for (let i = 0; i < 5; i++) within(['changed /a'], [SHAPE.uuid])
  t.equal(proposals().length, 1)
  for (let i = 0; i < 100; i++) between(['changed /a'], [SHAPE.uuid])
  t.equal(proposals().length, 0, 'it is a change')
  matched(1)
  t.match(evidence.summary(0), { mismatches: 100 })
  t.ok((evidence.summary(0)?.explained ?? 100) < 50)
})

t.test('what may be accepted without a person', async t => {
  const accepted = (shape: number, differing: number, rest: number, mismatches: number, matches: number) => {
    const { within, same, between, matched, proposals } = evidenceOf()
    same(rest)
    matched(matches)
    for (let i = 0; i < differing; i++) within(['changed /a'], [shape])
    for (let i = 0; i < mismatches; i++) between(['changed /a'], [shape])
    return proposals().filter(proposal => mayBeAccepted(proposal, 1)).map(proposal => ruleOf(proposal))
  }
  t.strictSame(accepted(SHAPE.uuid, 60, 0, 500, 0), [{ at: '/a', endpoint: 'GET /', format: 'uuid' }])
  t.strictSame(accepted(SHAPE.number, 60, 0, 500, 0), [{ at: '/a', endpoint: 'GET /', tolerance: '0.0000002%' }])
  t.strictSame(accepted(SHAPE.uuid, 29, 0, 500, 0), [], 'too few repeats')
  t.strictSame(accepted(SHAPE.uuid, 30, 270, 40, 60), [], 'more often between versions')
  t.strictSame(accepted(SHAPE.uuid, 60, 0, 0, 0), [], 'nothing is known of the versions')
  for (const shape of [SHAPE.absent, SHAPE.other, SHAPE.opaque, SHAPE.type]) t.strictSame(accepted(shape, 60, 0, 500, 0), [], shapeName(shape))
})

t.test('statuses, bodies as a whole and names that are cut are never proposed', async t => {
  const { within, proposals } = evidenceOf()
  const keys = ['changed status 200→500', 'changed body', 'changed /a…', 'changed /[redacted]', 'changed header:*', 'changed /a', 'changed header:etag']
  for (let i = 0; i < 5; i++) within(keys)
  t.strictSame(proposals().map(({ spot }) => spot.where), ['/a', 'header:etag'])
  t.strictSame(proposals().map(({ rule }) => rule.kind), ['ignore', 'ignore'], 'without a look nothing is known of them')
})

t.test('of a document as a whole no more is proposed than that its order says nothing', async t => {
  const { within, between, proposals } = evidenceOf()
  for (let i = 0; i < 40; i++) {
    within(['order body'], [SHAPE.order])
    between(['order body'], [SHAPE.order])
  }
  t.strictSame(proposals().map(ruleOf), [{ at: '', endpoint: 'GET /', unordered: true }])
  t.strictSame(proposals().map(proposal => mayBeAccepted(proposal, 1)), [false], 'by a person')
  within(['changed body'], [SHAPE.other])
  t.strictSame(proposals(), [])
})

t.test('by form, what is made anew differs mostly, and all else always', async t => {
  const proposed = (where: string, shape: number, differing: number, of: number) => {
    const spot = new Spot(where)
    for (let i = 0; i < differing; i++) spot.addBetween(shape, { within: 0, between: of })
    return spot.byForm(of)?.kind ?? null
  }
  t.equal(proposed('/a', SHAPE.uuid, 30, 60), 'format')
  t.equal(proposed('/a', SHAPE.ulid, 30, 61), null)
  t.equal(proposed('/a', SHAPE.uuid, 29, 29), null)
  t.equal(proposed('/a', SHAPE.order, 30, 60), 'unordered')
  t.equal(proposed('body', SHAPE.order, 30, 60), 'unordered')
  t.equal(proposed('body', SHAPE.other, 60, 60), null)
  t.equal(proposed('/a', SHAPE['date-time'], 30, 60), 'tolerance')
  t.equal(proposed('/a', SHAPE.number, 30, 60), null)
  t.equal(proposed('/a', SHAPE.number, 57, 60), 'tolerance')
  t.equal(proposed('/a', SHAPE.url, 56, 60), null)
  t.equal(proposed('/a', SHAPE.url, 57, 60), 'format')
  t.equal(proposed('/a', SHAPE.opaque, 60, 60), null, 'it may be a name that has changed')
  for (const where of ['header:etag', 'header:location', 'header:set-cookie/session/value']) {
    t.equal(proposed(where, SHAPE.opaque, 57, 60), 'format', where)
  }
  t.equal(proposed('header:content-language', SHAPE.opaque, 60, 60), null)
  t.equal(proposed('/a', SHAPE.type, 60, 60), null)
})

t.test('a proposal says in words what a rule is for, and what it would explain', async t => {
  const words = (shape: number, ofHeader = false) => wordsOf(tightest([shape], ofHeader))
  t.equal(words(SHAPE.type), 'of the same type')
  t.equal(words(SHAPE.type, true), 'there on both sides')
  t.equal(words(SHAPE.order), 'in another order')
  t.equal(words(SHAPE.absent), 'there on one side alone, or null')
  t.equal(words(SHAPE.number), 'at most 0.0000002% apart')
  t.equal(words(SHAPE.uuid), 'both in the format uuid')
  t.equal(words(SHAPE.opaque), 'both text without spaces')
  t.equal(words(SHAPE.other), 'anything')

  const { within, between, cached, proposals } = evidenceOf()
  const text = () => showProposal(proposals()[0], { mirror: 'm', backends: 1, ofShadow: false }).text
  for (let i = 0; i < 5; i++) within(['changed /a'], [SHAPE.uuid])
  t.equal(text(), 'differs in 5 of 5 repeats, 100 %, both in the format uuid; no mismatch has differed there yet')
  between(['changed /a'], [SHAPE.uuid])
  t.match(text(), /; would explain 1 of 1 mismatches that differ there$/)
  cached(2)
  t.match(text(), /, both in the format uuid \(2 more came from a cache\); would explain/)
})

t.test('an example has a side or none, and takes memory by what it shows', async t => {
  const redactor = createRedactor([])
  const places = { keys: ['added header:etag', 'changed /a', 'changed body'], firsts: [0, 0, -1], more: false }
  const headers = [{ name: 'etag', primary: [], shadow: ['abc'] }]
  const json = { kind: 'json' as const, differences: [{ pointer: '/a', change: 'added' as const, shadow: '2' }], truncated: false }
  const added = exampleOf({ headers, body: json, places }, 0, redactor)
  t.strictSame(added, { first: null, second: 'abc' })
  t.strictSame(exampleOf({ headers, body: json, places }, 1, redactor), { first: null, second: '2' })
  const bare = exampleOf({ headers, body: { kind: 'hash', reason: 'off' }, places }, 2, redactor)
  t.strictSame(bare, { first: null, second: null }, 'of bodies that were not looked into there is none')
  t.strictSame(exampleOf({ headers, body: json, places }, 2, redactor), bare)
  t.equal(bytesOf(added) - bytesOf(bare), 6)
  t.equal(bytesOf({ first: 'abc', second: null }), bytesOf(added))
})

t.test('a verdict names some of the rules that nobody looked at, and counts the rest', async t => {
  const judge = new Judge(readMirrorOptions({ backends: ['http://a'], compare: { enabled: true } }, {}, { method: 'GET', url: '/' }))
  const text = (count: number) => {
    const accepted = Array.from({ length: count }, (_, i) => ({ at: `/k${i}`, endpoint: 'GET /', format: 'uuid' as const }))
    const facts = { name: 'a', books: new BackendBooks(), breaker: 'closed' as const, since: null, outages: { count: 0, ms: 0, copies: 0 }, endpoints: [] }
    const [{ reasons }] = judge.verdict([facts], { age: 0, unsampled: 0, accepted }).backends
    return reasons.find(({ about }) => about === 'accepted')?.text
  }
  t.equal(text(0), undefined)
  t.equal(text(1), 'accepted: 1 rule of noise without a person: GET / /k0 ({"format":"uuid"})')
  t.match(text(8), /GET \/ \/k7 \(\{"format":"uuid"\}\)$/)
  t.match(text(10), /^accepted: 10 rules of noise .*GET \/ \/k7 \(\{"format":"uuid"\}\) and 2 more$/)
})

t.test('evidence is bounded, its examples are masked, and let go of', async t => {
  const few = evidenceOf(150)
  for (let i = 0; i < 30; i++) few.within(Array.from({ length: 10 }, (_, j) => `changed /k${i}x${'abcdefghij'[j]}`), Array(10).fill(SHAPE.uuid))
  const [{ spots }] = few.evidence.all
  t.equal(spots.size, 100, 'of one endpoint a hundred, or as many as it leaves free')
  few.between(['changed /none'], [SHAPE.uuid])
  t.match(few.evidence.summary(0), null, 'nothing is proposed')
  few.evidence.spare(0)

  const own = evidenceOf()
  for (let i = 0; i < 5; i++) own.within(['changed /a', 'removed header:set-cookie', 'type /b'], [SHAPE.number, SHAPE.absent, SHAPE.other])
  const shown = [...own.evidence.all].flatMap(({ spots }) => [...spots.values()].map(({ examples }) => examples))
  t.strictSame(shown.map(({ length }) => length), [3, 3, 3])
  t.strictSame(shown[0][0], { first: '1', second: '2' })
  t.strictSame(shown[1][0], { first: '[redacted]', second: null })
  t.ok(own.memory.used > 0)
  own.evidence.spare(0)
  t.match(own.evidence.summary(0), { mismatches: 1, explained: 0, proposals: 0 })
  own.evidence.close()
  t.equal(own.memory.used, 0)
  own.within(['changed /c'], [SHAPE.uuid])
  t.equal(own.memory.used, 0)

  const poor = evidenceOf(100, Object.assign(memoryOf(), { take: () => false }))
  poor.within(['changed /a'], [SHAPE.uuid])
  const [{ spots: [[, spot]] }] = [...poor.evidence.all].map(({ spots }) => ({ spots: [...spots] }))
  t.strictSame(spot.examples, [])
})

t.test('the endpoint of a repeat may be told before it is open, and after', async t => {
  const told: string[] = []
  const exchange = { nameEndpoint (name: string) { told.push(name) } }
  const target = { budget: new Budget(100_000), maxCapture: 100 } as unknown as Target
  const init = { target, head: { path: '/', headers: [] }, sink: {} as CopySink, of: 0 }
  const repeat = new Repeat('GET', init, UNTOLD, () => exchange as unknown as Exchange)
  repeat.nameEndpoint('GET /a')
  t.strictSame(told, [])
  repeat.keep({ status: 200, encoding: '', headers: [], digest: Digest.of('a'), body: Buffer.from('a') })
  repeat.begin(true, null)
  t.strictSame(told, ['GET /a'])
  repeat.nameEndpoint('GET /b')
  t.strictSame(told, ['GET /a', 'GET /b'])
})

t.test('a repeat that can not be opened has failed', async t => {
  const told: string[] = []
  const sink = { onFailed (reason: string) { told.push(reason) } } as unknown as CopySink
  const budget = new Budget(100_000)
  const target = { budget, maxCapture: 100 } as unknown as Target
  const repeat = new Repeat('GET', { target, head: { path: '/', headers: [] }, sink, of: 0 }, UNTOLD, () => { throw new Error('no') })
  repeat.keep({ status: 200, encoding: '', headers: [], digest: Digest.of('a'), body: Buffer.from('a') })
  repeat.keep({ status: 200, encoding: '', headers: [], digest: Digest.of('b'), body: Buffer.from('b') })
  t.ok(budget.used > 0)
  UNTOLD.enter(repeat, repeat => repeat.begin(true, null))
  t.strictSame(told, ['error'])
  t.equal(budget.used, 0)

  const early = new Repeat('GET', { target, head: { path: '/', headers: [] }, sink, of: 0 }, UNTOLD, () => { throw new Error('no') })
  early.begin(true, null)
  t.strictSame(told, ['error', 'aborted'], 'before its answer has come there is nothing to compare with')

  const lost = new Repeat('GET', { target, head: { path: '/', headers: [] }, sink, of: 0 }, UNTOLD, () => { throw new Error('no') })
  lost.keep({ status: 200, encoding: '', headers: [], digest: Digest.of('a'), body: 'memory' })
  t.strictSame(told, ['error', 'aborted', 'memory'])

  const small = { budget: new Budget(1000), maxCapture: 100 } as unknown as Target
  const long = new Repeat('POST', { target: small, head: { path: '/', headers: [] }, sink, of: 0 }, UNTOLD, () => { throw new Error('no') })
  long.keep({ status: 200, encoding: '', headers: [], digest: Digest.of('a'), body: 'too long' })
  long.begin(true, Buffer.alloc(2000))
  t.strictSame(told, ['error', 'aborted', 'memory', 'memory'])
  t.strictSame([budget.used, small.budget.used], [0, 0])
})

/** A repeat on its own, and what it tells. */
function repeatOf ({ refusal = null, enabled = true }: { refusal?: null | 'breaker', enabled?: boolean } = {}) {
  const told: string[] = []
  const books = new MirrorBooks()
  const mirror = {
    id: 'm', enabled, acceptNoise () {}, engine: { refusal: () => null }, log: { warn: (_: object, message: string) => told.push(message) }
  } as unknown as Mirror
  const source: RepeatSource = {
    name: 'a',
    target: 0,
    allowance: new Allowance(100),
    refusal: () => refusal,
    enter: () => { told.push('enter'); return 0 },
    leave: (_, failure) => { told.push(`leave ${failure}`) }
  }
  const outcome = new RepeatOutcome(
    mirror, source, { books, evidence: null } as unknown as Period, new Entry(new Endpoint('a'), 0), { nameEndpoint () {} }, null
  )
  outcome.attach({ repeat: (goesOut: boolean) => told.push(`repeat ${goesOut}`) } as unknown as ExchangeHandle)
  return { outcome, told, books: books.repeats }
}

t.test('a repeat ends once, whatever is told of it', async t => {
  const refused = repeatOf()
  refused.outcome.onRefused(new Error('early'))
  refused.outcome.onAnswered()
  refused.outcome.begin()
  refused.outcome.begin()
  refused.outcome.onRefused(new Error('no'))
  refused.outcome.onFailed('reset', new Error('late'))
  refused.outcome.onNotCompared('closing')
  refused.outcome.fail(new Error('late'))
  t.strictSame(refused.told, ['enter', 'repeat true', 'leave aborted', 'the repeat can not be sent'])
  t.match(refused.books, { asked: 1, total: 0, dropped: { error: 1 } })
  t.equal(refused.outcome.mirrorId, 'm')

  const failed = repeatOf()
  failed.outcome.begin()
  failed.outcome.fail(new Error('ours'))
  t.match(failed.books, { total: 1, failure: { error: 1 }, inFlight: 0 })
  t.match(failed.told, ['enter', 'repeat true', 'leave error', 'the repeat failed'])

  const answered = repeatOf()
  answered.outcome.begin()
  answered.outcome.onAnswered()
  answered.outcome.onCompared(null)
  answered.outcome.onCompared(null)
  t.match(answered.books, { success: 1, compared: 1, matched: 1, comparing: 0 })

  const broken = repeatOf()
  broken.outcome.begin()
  broken.outcome.onAnswered()
  broken.outcome.fail(new Error('ours'))
  t.match(broken.books, { success: 1, notCompared: { error: 1 }, comparing: 0 })

  const never = repeatOf()
  never.outcome.fail(new Error('ours'))
  never.outcome.begin()
  t.match(never.books, { asked: 0 })

  for (const [reason, drop] of [['memory', 'memory'], ['aborted', 'error']] as const) {
    const impossible = repeatOf()
    impossible.outcome.onFailed(reason, new Error('no'))
    impossible.outcome.begin()
    t.match(impossible.books, { asked: 1, total: 0, dropped: { [drop]: 1 } })
  }
  const blocked = repeatOf({ refusal: 'breaker' })
  blocked.outcome.begin()
  t.match(blocked.books, { asked: 1, dropped: { breaker: 1 } })
})
