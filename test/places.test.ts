import t from 'tap'
import { createRedactor } from '../lib/compare/redact'
import { ExampleMemory } from '../lib/mismatches/memory'
import { markOf } from '../lib/mismatches/mark'
import { OTHER } from '../lib/mismatches/places'
import { showPlace } from '../lib/mismatches/show'
import type { BodyDifference, HeaderDifference, MismatchList, PlaceKind } from '../types/index'
import type { MismatchedRequest, MismatchInput } from '../lib/mismatches/mismatch'
import { NO_PLACES, START, TestPlaces, input, memoryOf } from './helpers/places'

function json (...pointers: string[]): BodyDifference {
  return jsonOf(pointers.map(pointer => [pointer, 'changed']))
}

function jsonOf (found: Array<[pointer: string, change: PlaceKind]>): BodyDifference {
  const differences = found.map(([pointer, change]) => ({
    pointer, change, ...change === 'added' ? {} : { primary: '1' }, ...change === 'removed' ? {} : { shadow: '2' }
  }))
  return { kind: 'json', differences, truncated: false }
}

function header (name: string, primary = ['1'], shadow = ['2']): HeaderDifference {
  return { name, primary, shadow }
}

/** Another word for each number, which looks like a name. */
function word (i: number): string {
  let name = ''
  for (let rest = i + 1; rest > 0; rest = Math.floor(rest / 26)) name += String.fromCharCode(97 + rest % 26)
  return name
}

const wheres = ({ places }: MismatchList): string[] => places.map(({ where }) => where)
const rows = ({ places }: MismatchList): Array<[string, PlaceKind | null, number]> => places.map(({ where, kind, count }) => [where, kind, count])
const sum = ({ places }: MismatchList): number => places.reduce((total, { count }) => total + count, 0)

t.test('a place', async t => {
  t.test('has count, share, times and examples of what differs there', async t => {
    const places = new TestPlaces(2000)
    t.same(places.list(), NO_PLACES)
    const ids = places.put(input({ headers: [header('etag')], body: json('/items/0/price', '/items/7/price', '/total') }, { path: '/1' }))
    t.equal(ids.length, 3)
    t.same(places.put(input({ time: START + 1000, headers: [header('etag')], body: json('/items/3/price') }, { path: '/2' })), ids.slice(0, 2))
    places.endpoint('GET /').of(0).counts.fill(2, 2, 4)
    const list = places.list()
    t.same(rows(list), [['/total', 'changed', 1], ['/items/*/price', 'changed', 2], ['header:etag', 'changed', 2]])
    t.match(list.places[2], {
      id: ids[0],
      endpoint: 'GET /',
      count: 2,
      share: 0.5,
      first: '2024-01-01T00:00:00.000Z',
      last: '2024-01-01T00:00:01.000Z',
      explained: null,
      backends: [{ name: 'shadow', count: 2 }],
      examples: [
        { uses: ['latest'], rarest: ids[0], request: { path: '/2' } },
        { uses: ['first', 'most different'], rarest: ids[2], request: { path: '/1' } }
      ]
    }, 'and an example is listed first where no other of its places is rarer')
    t.match(list.places[0].examples, [{
      uses: ['first', 'latest', 'most different'], rarest: ids[2], primaryHash: markOf('a'.repeat(64)), body: { differences: [{ pointer: '/total' }, { pointer: '/items/0/price' }, {}] }
    }], 'what differs there comes first')
    const [before] = list.places
    places.put(input({ body: json('/total') }))
    t.equal(before.count, 1, 'a list is not changed by what comes after it')
    t.same(structuredClone(places.list()), places.list(), 'plain data')
  })

  t.test('is one for each endpoint, place and kind, and has the same id everywhere', async t => {
    const kinds: Array<[string, Partial<MismatchInput>, string?]> = [
      ['changed status 200→500', { shadowStatus: 500 }],
      ['changed status 201→500', { primaryStatus: 201, shadowStatus: 500 }],
      ['changed header:a', { headers: [header('a')] }],
      ['added header:a', { headers: [header('a', [])] }],
      ['removed header:a', { headers: [header('a', ['1'], [])] }],
      ['changed header:*', { headers: [header('x-10000')] }],
      ['changed /a', { body: json('/a') }],
      ['changed /a', { body: json('/a') }, 'GET /other'],
      ['added /a', { body: jsonOf([['/a', 'added']]) }],
      ['removed /a', { body: jsonOf([['/a', 'removed']]) }],
      ['type /a', { body: jsonOf([['/a', 'type']]) }],
      ['changed body', { body: { kind: 'text', primaryLength: 1, shadowLength: 2, offset: 0 } }],
      ['changed body (too long)', { body: { kind: 'hash', reason: 'too long' } }],
      ['type body', { body: jsonOf([['', 'type']]) }]
    ]
    const places = new TestPlaces(100)
    const ids = kinds.map(([, kind, endpoint]) => places.put(input(kind), endpoint))
    t.ok(ids.every(({ length }) => length === 1))
    t.equal(new Set(ids.flat()).size, kinds.length)
    for (const [id] of ids) t.match(id, /^[\da-f]{12}$/)
    for (const [index, [key]] of kinds.entries()) {
      const { place } = places.index('frequent').places.find(({ place }) => place.id === ids[index][0]) as { place: { kind: string, where: string } }
      t.equal(`${place.kind} ${place.where}`, key)
    }
    const again = new TestPlaces(100)
    t.same(kinds.toReversed().map(([, kind, endpoint]) => again.put(input(kind), endpoint)).reverse(), ids)
    t.notSame(new TestPlaces(100, { id: 'another mirror' }).put(input({ body: json('/a') })), ids[6])
    t.same(places.put(input({ body: { kind: 'binary', primaryLength: 1, shadowLength: 2, offset: 0 } })), ids[11], 'lengths do not count')
    t.same(places.put(input({ body: { kind: 'hash', reason: 'off' } })), ids[11])
    t.same(places.put(input({ shadowStatus: 500, body: { kind: 'hash', reason: 'memory' } })), ids[0], 'what is not known to differ is no place')
  })

  t.test('counts a mismatch once, however often it differs there', async t => {
    const places = new TestPlaces(100)
    t.equal(places.put(input({ headers: [header('x-1000'), header('x-2000')], body: json('/1', '/2', '/a') })).length, 3)
    t.same(rows(places.list({ sort: 'frequent' })), [['header:*', 'changed', 1], ['/*', 'changed', 1], ['/a', 'changed', 1]])
  })

  t.test('is of all backends, and says of which', async t => {
    const places = new TestPlaces(100)
    const keys = { keys: ['changed /a'], firsts: [0], more: true }
    const endpoint = places.endpoint('GET /')
    for (const backend of [1, 1, 2]) places.count(endpoint, backend, keys, START)
    const [listed, rest] = places.index('rarest').places.map(one => showPlace(one, ['a', 'b', 'c'].map(name => ({ name }))))
    t.match(listed, { where: '/a', count: 3, backends: [{ name: 'b', count: 2 }, { name: 'c', count: 1 }], examples: [] })
    t.match(rest, { where: OTHER, count: 3 }, 'and what more there is, once for each')
  })

  t.test('is listed in the order that is asked for, and of the endpoint that is', async t => {
    const places = new TestPlaces(3)
    const put = (times: number, kind: Partial<MismatchInput>, endpoint?: string): void => {
      for (let i = 0; i < times; i++) places.put(input({ time: START + i, ...kind }), endpoint)
    }
    put(5, { body: json('/a') })
    put(3, { shadowStatus: 500 })
    put(1, { body: json('/b') }, 'GET /seldom')
    put(2, { body: json('/late') })
    const compared = (name: string, count: number): void => { places.endpoint(name).of(0).counts[2] = count }
    compared('GET /', 100)
    compared('GET /seldom', 2)
    t.same(wheres(places.list()), ['status 200→500', '/a', '/b', OTHER], 'rarest: by share')
    t.same(wheres(places.list({ sort: 'frequent' })), ['/a', 'status 200→500', OTHER, '/b'])
    t.same(wheres(places.list({ sort: 'newest' })), ['/b', 'status 200→500', '/a', OTHER])
    t.same(wheres(places.list({ sort: 'status' })), ['status 200→500', '/a', OTHER, '/b'])
    t.same(wheres(places.list({ endpoint: 'GET /seldom' })), ['/b'])
    t.same(wheres(places.list({ endpoint: 'GET /nowhere' })), [])
    t.match(places.list(), { limited: true, total: 4 })
    places.put(input({ body: json('/c') }), 'GET /seldom')
    t.same(wheres(places.list({ sort: 'newest' })).slice(3), [OTHER, OTHER], 'one for each endpoint')
  })

  t.test('is never thrown out: past the limit what is new is counted by endpoint', async t => {
    const places = new TestPlaces(2)
    const [rare] = places.put(input({ body: json('/rare') }))
    places.put(input({ body: json('/frequent') }))
    t.equal(places.list().limited, false)
    const [other] = places.put(input({ body: json('/new', '/newer') }, { path: '/1' }))
    t.same(places.put(input({ body: json('/newest'), shadowStatus: 500, time: START + 1 }, { path: '/2' })), [other])
    t.same(rows(places.list({ sort: 'frequent' })), [[OTHER, null, 2], ['/rare', 'changed', 1], ['/frequent', 'changed', 1]])
    t.match(places.find(other)?.examples, [{ uses: ['first', 'most different'], request: { path: '/1' } }, { uses: ['latest'], request: { path: '/2' } }])
    t.same(places.put(input({ body: json('/rare') })), [rare], 'a known one is counted where it was')
    t.equal(places.find('nobody'), undefined)

    places.endpoint('GET /').of(0).counts[3] = 4
    places.clear()
    t.same(places.list(), { ...NO_PLACES, limit: 2 })
    places.endpoint('GET /').of(0).counts[3] = 6
    places.put(input({ body: json('/new') }))
    t.match(places.list().places, [{ where: '/new', share: 0.5 }], 'of what was compared since')
    places.clear()
    places.clear()
    places.put(input({ body: json('/new') }))
    t.match(places.list().places, [{ share: 1 }])
  })

  t.test('of an endpoint of which nothing is known does not take what others need', async t => {
    const places = new TestPlaces(1000)
    for (let i = 0; i < 3000; i++) places.put(input({ body: json(`/${word(i % 60)}/${word(i)}`) }))
    const random = places.list({ endpoint: 'GET /' }).total
    t.ok(random > 400 && random <= 501, `${random} places`)
    for (let i = 0; i < 90; i++) t.same(places.put(input({ body: json(`/${word(i)}`) }), 'GET /b').length, 1)
    t.equal(places.list({ endpoint: 'GET /b' }).total, 90)
    t.notOk(wheres(places.list({ endpoint: 'GET /b' })).includes(OTHER))
  })

  t.test('is not made without end by what is keyed by data', async t => {
    const cases: Array<[string, number, (i: number) => Partial<MismatchInput>]> = [
      ['indices', 1, i => ({ body: json(`/items/${i}/price`) })],
      ['ids', 1, i => ({ body: json(`/users/user-${i + 1000}/name`) })],
      ['UUIDs', 1, i => ({ body: json(`/550e8400-e29b-41d4-a716-${String(i).padStart(12, '0')}`) })],
      ['names', 101, i => ({ body: json(`/users/${word(i)}/name`) })],
      ['names of headers that look like ids', 1, i => ({ headers: [header(`x-${i + 1000}`)] })],
      ['names of headers', 101, i => ({ headers: [header(word(i))] })],
      ['statuses', 101, i => ({ primaryStatus: 1000 + i, shadowStatus: i })],
      ['depth', 16, i => ({ body: json('/a'.repeat(1 + i % 100)) })]
    ]
    for (const [name, most, kind] of cases) {
      const places = new TestPlaces(1000)
      for (let i = 0; i < 1000; i++) places.put(input(kind(i)))
      const list = places.list()
      t.ok(list.total <= most + 1, `${name}: ${list.total}`)
      t.equal(list.limited, false, name)
      t.equal(sum(list), 1000)
    }
    const places = new TestPlaces(1000)
    for (let i = 0; i < 300; i++) places.put(input({ body: json(`/users/${word(i)}/name`), headers: [header(word(i))], primaryStatus: 1000 + i }))
    const list = places.list()
    for (const where of ['/users/*/name', 'header:*', 'status *', `/users/${word(99)}/name`]) t.ok(wheres(list).includes(where), where)
    t.same(places.put(input({ body: json(`/users/${word(5)}/name`) })), places.put(input({ body: json(`/users/${word(5)}/name`) })), 'what was there before keeps its name')
    t.same(places.put(input({ body: json('/users/new/name') })), places.put(input({ body: json('/users/newer/name') })))
    places.clear()
    places.put(input({ body: json('/users/new/name') }))
    t.same(wheres(places.list()), ['/users/new/name'], 'and clearing forgets what was learned')
  })
})

t.test('one true difference in two thousand is found among 62 noisy places', async t => {
  const places = new TestPlaces(2000)
  const noisy = Array.from({ length: 62 }, (_, i) => `/section/${word(i)}`)
  let seed = 20260
  const random = () => (seed = (seed * 16807) % 2147483647) / 2147483647
  for (let i = 1; i <= 6000; i++) {
    const found = noisy.filter(() => random() < 0.7)
    const isTrue = i % 2000 === 1000
    if (isTrue) found.splice(Math.floor(random() * found.length), 0, '/section/price')
    places.endpoint('GET /').of(0).counts[3]++
    places.put(input({ time: START + i, body: json(...found) }, { path: `/${i}` }))
    if (i === 1000) t.match(places.list().places[0], { where: '/section/price', count: 1, first: new Date(START + i).toISOString() }, 'from its first time on')
  }
  const list = places.list()
  t.equal(list.total, 63, 'each has a row')
  t.match(list, { limited: false, places: [{ where: '/section/price', count: 3, share: 1 / 2000 }] }, 'it is on top')
  const [{ id, examples }] = list.places
  t.ok(examples.length > 0)
  for (const { rarest, body } of examples) t.match({ rarest, body }, { rarest: id, body: { differences: [{ pointer: '/section/price' }] } }, 'and shows it')
})

t.test('a hundred thousand mismatches of random keys, headers and statuses', async t => {
  const budget = memoryOf(64 * 1024 * 1024)
  const places = new TestPlaces(2000, { budget })
  const [early] = places.put(input({ body: json('/found/early') }))
  const more = { headers: ['accept', '*/*'], path: `/${'p'.repeat(100)}` }
  const flood = (from: number, to: number) => {
    for (let i = from; i < to; i++) {
      const name = `GET /${i % 5}`
      places.put(input({
        time: START + i, shadowStatus: 201 + i % 500, headers: [header(`x-${word(i)}`)], body: json(`/${word(i % 90)}/${word(i)}`, `/${word(i)}`)
      }, more), name)
      places.endpoint(name).of(0).counts[3]++
    }
  }
  flood(0, 100_000)
  const list = places.list()
  t.ok(list.total <= 2000 + 6, `${list.total} rows`)
  const bytes = list.places.reduce((total, { examples, ...rest }) => total + JSON.stringify(rest).length, 0)
  t.ok(bytes < 2e6, `${bytes} bytes without examples`)
  t.ok(budget.used > 0 && budget.used <= 16 * 1024 * 1024, `${budget.used} bytes of examples`)
  t.ok(places.list().places.every(({ examples }) => JSON.stringify(examples).length < 32 * 1024))
  t.equal(list.limited, true, 'it is said that there were more')
  const others = list.places.filter(({ kind }) => kind === null)
  t.ok(others.length >= 5 && others.every(({ count, where }) => where === OTHER && count > 10_000), 'and of which endpoints')
  t.match(places.find(early), { count: 1 }, 'what was found before is there')
  places.put(input({ body: json('/found/early') }))
  t.match(places.find(early), { count: 2 })
  const before = list.total
  flood(100_000, 110_000)
  t.equal(places.list().total, before)
  places.close()
  t.equal(budget.used, 0, 'and all memory is given back')
  places.put(input({ body: json('/found/early') }))
  t.equal(places.find(early)?.count, 3)
})

t.test('examples', async t => {
  t.test('are of at most 4 KiB each, shared by their places, and given back', async t => {
    const budget = memoryOf(1e9)
    const places = new TestPlaces(1000, { budget })
    const long = 'x'.repeat(100_000)
    const many = Array.from({ length: 1500 }, (_, i) => [`a${i}`, 'b']).flat()
    const cases: Array<[string, Partial<MismatchInput>, Partial<MismatchedRequest>]> = [
      ['a path', {}, { path: `/${long}`, sentPath: `/v2${long}` }],
      ['headers', {}, { headers: many }],
      ['long headers', {}, { headers: ['x-a', long, 'x-b', '1', 'cookie', long] }],
      ['a body', {}, { body: Buffer.alloc(1e6, 'x'), headers: ['x-a', 'b'] }],
      ['a body behind much else', {}, { body: Buffer.alloc(100, 'x'), headers: many, path: `/${long}`, sentPath: '/' }],
      ['values of headers', { headers: [header('a', [long], [long]), header('b', Array(50).fill('\u20ac'.repeat(200)), [])] }, {}],
      ['values', { body: { kind: 'json', truncated: false, differences: Array.from({ length: 60 }, (_, i) => ({ pointer: `/${'\u20ac'.repeat(60)}/${'\u20ac'.repeat(60)}/${word(i)}`, change: 'changed' as const, primary: '\u20ac'.repeat(200), shadow: '\u20ac'.repeat(200) })) } }, {}]
    ]
    for (const [what, changes, request] of cases) {
      places.clear()
      const ids = places.put(input({ shadowStatus: 500, ...changes }, request))
      t.ok(budget.used <= 4096 + (ids.length - 1) * 3 * 1200, `${what}: ${budget.used} bytes at ${ids.length} places`)
      for (const { examples } of places.list().places) t.ok(JSON.stringify(examples).length < 16 * 1024)
      if (Object.keys(request).length > 0) t.match(places.find(ids[0])?.example, { request: { truncated: true } }, what)
    }
    places.clear()
    t.equal(budget.used, 0)

    places.put(input({ body: json('/a') }, { headers: ['x-a', 'b'.repeat(50), 'cookie', long, 'x-c', 'd'], body: Buffer.from('hello') }))
    t.match(places.list().places[0].examples[0].request, { headers: ['x-a', 'b'.repeat(50), 'cookie', '[redacted]', 'x-c', 'd'], body: 'hello', truncated: false }, 'of a secret nothing is kept')
    const one = budget.used
    for (let i = 0; i < 10; i++) places.put(input({ body: json('/a') }, { path: '/2' }))
    t.ok(budget.used < 2 * one, 'the latest takes the place of the one before it')
  })

  t.test('that there is no memory for are left out, and the rest is counted', async t => {
    const budget = memoryOf(40_000)
    const places = new TestPlaces(1000, { budget })
    for (let i = 0; i < 100; i++) places.put(input({ body: json(`/${word(i % 90)}`) }, { path: `/${'x'.repeat(500)}` }))
    t.ok(budget.used > 5000 && budget.used <= 10_000, `a quarter: ${budget.used}`)
    const { places: shown } = places.list({ sort: 'newest' })
    t.equal(shown.length, 90)
    t.ok(shown.some(({ examples }) => examples.length > 0))
    t.same(shown[0].examples, [])
    t.equal(places.find(shown[0].id)?.example, null)
    const refusing = new ExampleMemory({ limit: 1e9, take: () => false, free () { throw new Error('nothing was taken') } })
    t.equal(refusing.take(1), false)
    let left = 1
    const tight = new TestPlaces(10, { budget: { ...memoryOf(1e9), take: () => left-- > 0 } })
    const differences = Array.from({ length: 40 }, (_, i) => ({ pointer: `/${word(i)}`, change: 'changed' as const, primary: 'x'.repeat(200), shadow: 'y' }))
    tight.put(input({ body: { kind: 'json', differences, truncated: false } }))
    t.ok(tight.list().places.some(({ examples }) => examples.length === 0), 'what a place has for itself is held, too')
  })

  t.test('show what differs at their place, whatever else does', async t => {
    const places = new TestPlaces(1000)
    const headers = Array.from({ length: 40 }, (_, i) => header(word(i), ['x'.repeat(100)]))
    const differences = Array.from({ length: 60 }, (_, i) => ({ pointer: `/${word(i)}`, change: 'changed' as const, primary: `"${i}${'x'.repeat(50)}"`, shadow: '1' }))
    places.put(input({ headers, body: { kind: 'json', differences, truncated: false } }))
    for (const { where, examples: [{ headers, body }] } of places.list().places) {
      if (where.startsWith('header:')) t.equal(headers[0].name, where.slice(7))
      else t.match(body, { truncated: true, differences: [{ pointer: where }] })
    }
  })

  t.test('are masked when they are read', async t => {
    let masked = 0
    const redactor = createRedactor([])
    const begin = redactor.begin.bind(redactor)
    redactor.begin = () => {
      masked++
      begin()
    }
    const places = new TestPlaces(10, { redactor })
    const [id] = places.put(input({ body: json('/a') }, { path: '/?token=CANARY', headers: ['authorization', 'CANARY', 'x-a', '1'] }))
    const { places: [place] } = places.list()
    t.equal(masked, 0)
    t.match(place.examples, [{ request: { path: '/?token=[redacted]', headers: ['authorization', '[redacted]', 'x-a', '1'] } }])
    t.equal(masked, 1)
    t.notMatch(JSON.stringify(places.find(id)), 'CANARY')
  })
})
