import t from 'tap'
import { readMirrorOptions } from '../lib/options'

const ROUTE = { method: 'GET', url: '/users/:id' }
const AT = { at: '/a' }

function read (compare: object): unknown {
  return readMirrorOptions({ backends: ['http://shadow:9000'], compare: { enabled: true, detailedDiff: true, ...compare } }, {}, ROUTE).compare
}

function message (compare: object): string {
  try {
    read(compare)
  } catch (error) {
    return (error as Error).message
  }
  return 'nothing was refused'
}

t.test('a rule that is wrong is refused, by route, key, value and what is allowed', async t => {
  const cases: Array<[rule: unknown, key: string, allowed: RegExp]> = [
    ['/a', '', /must be a rule: an object with at and one kind, got "\/a"/],
    [{}, '.at', /must be a JSON pointer such as .*, got undefined/],
    [{ at: 7, ignore: true }, '.at', /must be a JSON pointer/],
    [{ at: '/a' }, '', /must be a rule with exactly one of ignore, unordered, .*, got \{"at":"\/a"\}/],
    [{ ...AT, ignore: true, type: true }, '', /exactly one of/],
    [{ ...AT, ignore: false }, '.ignore', /must be true, or left out, got false/],
    [{ ...AT, ignored: true }, '.ignored', /did you mean "ignore"/],
    [{ at: '$.a[*].b', ignore: true }, '.at', /write "\/a\/\*\/b", got "\$\.a\[\*\]\.b"/],
    [{ at: '$..id', ignore: true }, '.at', /write "\/\*\*\/id"/],
    [{ at: '$.a..id', ignore: true }, '.at', /write "\/a\/\*\*\/id"/],
    [{ at: 'a[0]', ignore: true }, '.at', /write "\/a\/0", or "\/a\/\*" for every index/],
    [{ at: 'items[].id', ignore: true }, '.at', /write "\/items\/\*\/id"/],
    [{ at: 'a..b', ignore: true }, '.at', /must be a JSON pointer such as .*"header:etag"/],
    [{ at: 'a[?(@.x)].b', ignore: true }, '.at', /must be/],
    [{ at: '/**/a/**/b/**/c/**/d/**', ignore: true }, '.at', /at most 4 times \*\*/],
    [{ at: `/${'a'.repeat(1000)}`, ignore: true }, '.at', /at most 1000 characters/],
    [{ at: 'header:', ignore: true }, '.at', /must be a JSON pointer/],
    [{ at: 'header:a b', ignore: true }, '.at', /must be a JSON pointer/],
    [{ at: 'header:Date', ignore: true }, '.at', /another header: date is never compared/],
    [{ at: 'header:etag/value', ignore: true }, '.at', /a header as a whole: write "header:etag"/],
    [{ at: 'header:set-cookie/a/b/c', ignore: true }, '.at', /a cookie such as "header:set-cookie\/session"/],
    [{ at: 'header:set-cookie/', ignore: true }, '.at', /a cookie such as/],
    [{ at: 'header:set-cookie/a/', ignore: true }, '.at', /a cookie such as/],
    [{ at: 'text:(a', ignore: true }, '.at', /"text:" and an RE2 regular expression \(/],
    [{ at: 'text:a*', ignore: true }, '.at', /does not match empty text/],
    [{ at: 'text:[ab]{300}', ignore: true }, '.at', /a smaller RE2 regular expression/],
    [{ at: 'text:a', tolerance: 1 }, '.tolerance', /left out: for text that is found it has no effect, where a rule may be an ignore, got 1/],
    [{ at: 'header:etag', type: true }, '.type', /left out: for a header it has no effect/],
    [{ at: 'header:etag', only: true }, '.only', /left out: for a header/],
    [{ at: 'header:vary', unordered: 'id' }, '.unordered', /true: only elements of JSON have keys/],
    [{ at: 'header:set-cookie/a', format: 'uuid' }, '.format', /left out: for a whole cookie/],
    [{ at: 'header:set-cookie/a/value', optional: true }, '.optional', /left out: for a cookie's value/],
    [{ at: 'header:set-cookie/a/secure', unordered: true }, '.unordered', /left out: for a cookie's attribute/],
    [{ at: '', only: true }, '.only', /left out: the whole document is compared anyway/],
    [{ ...AT, tolerance: 0 }, '.tolerance', /a number over 0, a share such as "1%", or a time/],
    [{ ...AT, tolerance: -1 }, '.tolerance', /a number over 0/],
    [{ ...AT, tolerance: Infinity }, '.tolerance', /a number over 0/],
    [{ ...AT, tolerance: '0%' }, '.tolerance', /a number over 0/],
    [{ ...AT, tolerance: '0s' }, '.tolerance', /a number over 0/],
    [{ ...AT, tolerance: '5' }, '.tolerance', /a number over 0/],
    [{ ...AT, tolerance: '2 years' }, '.tolerance', /a number over 0/],
    [{ ...AT, tolerance: true }, '.tolerance', /a number over 0/],
    [{ ...AT, format: 'email' }, '.format', /must be "uuid", "ulid", "date-time", "date", "url", "opaque", or an object/],
    [{ ...AT, format: { pattern: '(' } }, '.format', /an object whose pattern is an RE2 regular expression \(/],
    [{ ...AT, format: { regex: 'a' } }, '.format.regex', /is not an option; allowed: pattern/],
    [{ ...AT, format: { pattern: 7 } }, '.format', /an object with an RE2 regular expression/],
    [{ ...AT, format: {} }, '.format', /an object with an RE2 regular expression/],
    [{ ...AT, unordered: '' }, '.unordered', /true, or the key of the elements/],
    [{ ...AT, unordered: false }, '.unordered', /true, or the key/],
    [{ ...AT, ignore: true, endpoint: '' }, '.endpoint', /the name of an endpoint, with \* for any text/]
  ]
  for (const [rule, key, allowed] of cases) {
    const found = message({ rules: [{ at: '/fine', ignore: true }, rule] })
    t.ok(found.startsWith(`route "GET /users/:id": mirror.compare.rules[1]${key} `), `${JSON.stringify(rule).slice(0, 80)}: ${found}`)
    t.match(found, allowed)
  }
  t.match(message({ rules: 'all' }), /compare\.rules must be an array of at most 500 rules/)
  t.match(message({ rules: Array(501).fill({ ...AT, ignore: true }) }), /at most 500 rules/)
  for (const key of ['rules', 'origins']) {
    const compare = key === 'rules' ? { rules: [{ ...AT, ignore: true }] } : { origins: { 'http://a': 'http://b' } }
    t.match(message({ ...compare, detailedDiff: undefined }), new RegExp(`compare\\.${key} must be left out, or compare\\.detailedDiff given`))
  }
  t.equal(message({ rules: [], origins: {}, detailedDiff: undefined, enabled: undefined }), 'nothing was refused')
})

t.test('rules are kept as they are given, and origins in one spelling', async t => {
  const rules = [
    { at: '$ref', ignore: true }, { at: 'Header:ETag', format: 'opaque' }, { at: '/a/**', unordered: 'id', endpoint: 'GET /x*' },
    { at: '', additions: true }, { ...AT, format: { pattern: 'a+' } }
  ]
  const compare = read({ rules, origins: { 'HTTPS://API.example.com:443/': 'http://v2.internal:8080' } }) as { rules: unknown, origins: unknown }
  t.same(compare.rules, rules)
  t.same(structuredClone(compare.rules), rules, 'plain data')
  t.same(compare.origins, { 'https://api.example.com': 'http://v2.internal:8080' })
})

t.test('origins that are wrong are refused', async t => {
  const cases: Array<[origins: unknown, message: RegExp]> = [
    [{ api: 'http://b' }, /compare\.origins must be an object whose keys are each an origin such as/],
    [{ 'http://a': 'http://b/path' }, /compare\.origins\["http:\/\/a"\] must be an origin such as .*, without a path, got "http:\/\/b\/path"/],
    [{ 'http://a': 'ftp://b' }, /must be an origin/],
    [{ 'http://a': 'http://[' }, /must be an origin/],
    [{ 'http://a': 7 }, /must be an origin/],
    [{ 'http://a': 'http://A:80' }, /another origin: to one and the same it has no effect/],
    [{ 'http://a': 'http://c', 'http://b': 'http://c' }, /an origin that stands for one of the primary's alone/],
    [[], /an object of at most 100 origins/]
  ]
  for (const [origins, allowed] of cases) t.match(message({ origins }), allowed, JSON.stringify(origins))
})
