import t from 'tap'
import { diffHeaders, ignoredHeaders } from '../../lib/compare/headers'
import { decodePercent } from '../../lib/compare/percent'
import { createRedactor } from '../../lib/compare/redact'
import { createMismatch } from '../../lib/mismatches/mismatch'
import type { MismatchedRequest, MismatchInput } from '../../lib/mismatches/mismatch'

/** Of runs on a machine that others use, too: twenty times what one takes on an idle one. */
const MEDIAN_MS = 4
const RUNS = 31

function median (run: () => void): number {
  const times: number[] = []
  for (let i = 0; i < RUNS; i++) {
    const begun = performance.now()
    run()
    times.push(performance.now() - begun)
  }
  return times.sort((a, b) => a - b)[RUNS >> 1]
}

const lines = (count: number, line: (i: number) => [string, string]): string[] => Array.from({ length: count }, (_, i) => line(i)).flat()
const one = (value: string): Partial<MismatchedRequest> => ({ headers: ['x', value] })
const body = (type: string, text: string): Partial<MismatchedRequest> => ({ headers: ['content-type', type], body: Buffer.from(text.slice(0, 2048)) })

const requests: Array<[string, Partial<MismatchedRequest>]> = [
  ['parameters encoded twice', one('%25aaa='.repeat(2200))],
  ['long encoded names', one(('%61'.repeat(80) + '=').repeat(62))],
  ['encodings within encodings', one('%252525'.repeat(2100) + '=')],
  ['what could be JSON', one('{ '.repeat(7500))],
  ['what nearly is JSON', one('[' + '\\'.repeat(15_000))],
  ['encoded brackets', one('%5B%20'.repeat(2500))],
  ['what could be user info', one('://a:b'.repeat(2500))],
  ['bytes that are no text', one('%ff='.repeat(3000))],
  ['1500 headers', { headers: lines(1500, i => [`a${i}`, '["%25"']) }],
  ['200 headers of JSON', { headers: lines(200, i => [`x${i}`, '{"a":"b%3D"}&c=%2525'.repeat(3)]) }],
  ['a query of many parameters', { path: '/?' + 'a=b&'.repeat(1000), sentPath: '/x?' + 'a%3d=b&'.repeat(600) }],
  ['a path of many segments', { path: '/%252f='.repeat(600), sentPath: '/{"%22'.repeat(600) }],
  ['slashes', { path: '/'.repeat(4000) + '=', sentPath: '/a'.repeat(2000) + '=' }],
  ['deep JSON', body('application/json', '['.repeat(250) + '{"a":'.repeat(3))],
  ['JSON of many keys', body('application/json', '{' + '"abcd":1,'.repeat(220))],
  ['JSON of many strings', body('application/json', '[' + '"a=%2",'.repeat(290))],
  ['JSON in JSON', body('application/json', '[' + '"{ ab",'.repeat(290))],
  ['quotes', body('text/plain', '"\\u0061'.repeat(290))],
  ['words', body('text/plain', 'abcd '.repeat(400))],
  ['a form', body('application/x-www-form-urlencoded', 'a%ff=b&'.repeat(290))]
]

/** Answers that differ in as much as is looked at. */
const answers: Partial<MismatchInput> = {
  headers: Array.from({ length: 500 }, (_, i) => ({ name: `x-${i}`, primary: Array(20).fill('a=%25b; {'.repeat(40)), shadow: Array(20).fill('[" a%25c='.repeat(40)) })),
  body: {
    kind: 'json',
    truncated: false,
    differences: Array.from({ length: 100 }, (_, i) => ({ pointer: '/1a'.repeat(130) + i, change: 'changed', primary: 'x'.repeat(200), shadow: 'y'.repeat(200) }))
  }
}

t.test('masking a mismatch takes a bounded time, whatever it is made of', async t => {
  for (const redactor of [createRedactor([]), createRedactor(['pin', 'session'])]) {
    for (const [what, request] of requests) {
      const input: MismatchInput = {
        backend: 'v2',
        time: 0,
        request: { method: 'POST', path: '/', sentPath: '/', headers: [], body: Buffer.alloc(0), complete: true, ...request },
        primaryStatus: 200,
        shadowStatus: 200,
        primaryHash: '',
        shadowHash: '',
        headers: [],
        body: null,
        ...answers
      }
      const ms = median(() => createMismatch(input, redactor))
      t.ok(ms < MEDIAN_MS, `${what}: ${ms.toFixed(2)} ms`)
      t.ok(JSON.stringify(createMismatch(input, redactor)).length < 128 * 1024, 'and the result is of bounded size')
    }
  }
})

t.test('what is too much to be looked through is masked, not shown', async t => {
  const redactor = createRedactor([])
  redactor.begin()
  t.equal(redactor.text('a=1'), 'a=1')
  t.equal(redactor.header('x', 'a=b;'.repeat(10_000)), '[redacted]')
  t.equal(redactor.text('a=1'), '[redacted]', 'nor is what comes after it')
  t.equal(redactor.path('/a/b?c=d'), '[redacted]')
  t.equal(redactor.text('abc'), 'abc', 'but for what could hold nothing')
  redactor.begin()
  t.equal(redactor.text('a=1'), 'a=1', 'the next example is looked through')
})

t.test('comparing headers takes a bounded time, however many there are', async t => {
  const none = ignoredHeaders([])
  const many = (name: string, value = '1') => lines(3000, i => [`x-${name}${i}`, value])
  for (const [primary, shadow] of [[many('a'), many('b')], [many('a'), many('a')], [many('a'), many('a', '2')], [lines(3000, () => ['a', 'b']), many('a')]]) {
    const ms = median(() => diffHeaders(primary, shadow, none))
    t.ok(ms < 2 * MEDIAN_MS, `${ms.toFixed(2)} ms`)
  }
  t.same(diffHeaders(many('a'), many('a'), none), [])
  t.same(diffHeaders(many('a'), [...many('a'), 'Date', 'now'], none), [], 'what is ignored is ignored there, too')
  t.same(diffHeaders(many('a'), many('a').with(-1, '2'), none), [{ name: '…', primary: ['2744 more'], shadow: ['2744 more'] }])
  t.same(diffHeaders(many('a'), many('a').slice(0, -2), none), [{ name: '…', primary: ['2744 more'], shadow: ['2743 more'] }])
})

t.test('percent-encoding is taken off as others do', async t => {
  for (const text of ['', 'a', '%', '%4', '%4g', '%g4', '%41', '%4a%4A', '%C3%A9', 'é%41', '%2541', '😀%20']) {
    let expected: string
    try {
      expected = decodeURIComponent(text)
    } catch {
      expected = text
    }
    t.equal(decodePercent(text), expected, text)
  }
  t.equal(decodePercent('a%ff%41'), 'a\ufffdA')
})
