import t from 'tap'
import type { IncomingMessage } from 'node:http'
import { EndpointBooks, KIND, KIND_OF_DROP, KIND_OF_FAILURE, KIND_OF_UNCOMPARED } from '../lib/endpoints/books'
import { Entry } from '../lib/endpoints/entry'
import { operationName } from '../lib/endpoints/graphql'
import { endpointSteps } from '../lib/endpoints/list'
import { endpointRoute, ownName, pathName } from '../lib/endpoints/naming'
import { foldPath } from '../lib/endpoints/path'
import { Spread } from '../lib/endpoints/spread'
import { Endpoints } from '../lib/endpoints/table'
import { atOnce } from '../lib/steps'
import { seeded } from '../scripts/verdict/simulate'
import { holds, same } from './helpers/property'
import fc from 'fast-check'

t.test('a path has * for what looks like an id, and nothing else', async t => {
  const cases: Record<string, string> = {
    '/': '/',
    '': '',
    '*': '*',
    '/users': '/users',
    '/users/me': '/users/me',
    '/users/': '/users/',
    '//users//': '//users//',
    '/users/7': '/users/*',
    '/users/7/': '/users/*/',
    '/api/v2/users/123/orders/456': '/api/v2/users/*/orders/*',
    '/api/v2.1/oauth2/token': '/api/v2.1/oauth2/token',
    '/api/1.0/users': '/api/*/users',
    '/u/8f14e45f-ceea-467f-a8f6-9b0f2c1d3e4f/x': '/u/*/x',
    '/u/01ARZ3NDEKTSV4RRFFQ69G5FAV': '/u/*',
    '/c/cus_9s6XKzkNRiz8i3': '/c/*',
    '/c/d41d8cd98f00b204e9800998ecf8427e': '/c/*',
    '/c/abcdefabcdefabcdefabcdef1': '/c/*',
    '/c/a1b2.c3d4.e5f6.g7': '/c/*',
    '/c/averylongnamewithadigit2x': '/c/averylongnamewithadigit2x',
    '/c/a1b2c3': '/c/*',
    '/c/user-1': '/c/*',
    '/c/user_12': '/c/*',
    '/c/order:1': '/c/*',
    '/c/items:batchGet': '/c/items:batchGet',
    '/c/2-factor': '/c/2-factor',
    '/days/2026-01-31': '/days/*',
    '/hosts/10.0.0.1': '/hosts/*',
    '/who/ann@example.com': '/who/*',
    '/find/caf%C3%A9': '/find/*',
    '/posts/how-to-tie-shoes': '/posts/*',
    '/posts/forgot-password-link': '/posts/forgot-password-link',
    '/.well-known/openid-configuration': '/.well-known/openid-configuration',
    '/assets/logo.png': '/assets/*.png',
    '/assets/app.3f2a9c81.js': '/assets/*.js',
    '/assets/logo.png/x': '/assets/logo.png/x',
    '/users.json': '/users.json',
    '/.js': '/.js',
    '/$metadata': '/$metadata',
    '/Orders(5)/Items': '/Orders(*)/Items',
    '/(5)': '/*',
    '/123(5)': '/*',
    '/cart;session=1/x': '/cart/x',
    '/;x': '/*',
    '/abcDefGhi1jkL2mnO3p': '/*',
    '/a/b/c/d/e/f/g/h/i/j': '/a/b/c/d/e/f/g/h/i/j',
    '/a/b/c/d/e/f/g/h/i/j/k/l': '/a/b/c/d/e/f/g/h/i/j/**',
    '/1/2/3/4/5/6/7/8/9/10/11': '/*/*/*/*/*/*/*/*/*/*/**'
  }
  for (const [path, name] of Object.entries(cases)) t.equal(foldPath(path), name, path)
  t.equal(foldPath('/' + 'a'.repeat(48)), '/' + 'a'.repeat(48))
  t.equal(foldPath('/' + 'a'.repeat(49)), '/*')
})

t.test('names are few where ids are in every place, and a hostile path is read in no time', async t => {
  const random = seeded(5)
  const hex = (length: number) => Array.from({ length }, () => Math.floor(random() * 16).toString(16)).join('')
  const names = new Set<string>()
  for (let i = 0; i < 10_000; i++) {
    names.add(foldPath(`/tenants/${i}/users/${hex(8)}-${hex(4)}-${hex(4)}-${hex(4)}-${hex(12)}/files/${hex(40)}`))
  }
  t.strictSame([...names], ['/tenants/*/users/*/files/*'])
  const hostile = [
    '/' + 'a'.repeat(16_000), '/a1'.repeat(5000), '/'.repeat(16_000), ('/' + 'a1-'.repeat(15)).repeat(300), ('/' + 'a;'.repeat(20)).repeat(300),
    ('/' + '('.repeat(40)).repeat(300), ('/' + 'a('.repeat(20)).repeat(300), '/' + '%'.repeat(16_000), '-'.repeat(16_000)
  ]
  for (const path of hostile) {
    let fastest = Infinity
    for (let round = 0; round < 30; round++) {
      const begun = performance.now()
      for (let i = 0; i < 100; i++) foldPath(path)
      fastest = Math.min(fastest, performance.now() - begun)
    }
    t.ok(fastest / 100 < 0.02, `${path.slice(0, 20)}: ${fastest * 10} µs`)
    t.ok(foldPath(path).length < 600)
  }
})

t.test('folding', async t => {
  const path = fc.array(fc.oneof(fc.webSegment(), fc.uuid(), fc.nat().map(String), fc.string({ maxLength: 60 })), { maxLength: 14 }).map(parts => '/' + parts.join('/'))
  await holds(t, 'changes nothing that is folded, and is bounded', fc.property(path, path => {
    const name = foldPath(path)
    same(foldPath(path), name)
    if (name.length > 10 * 56 + 3) throw new Error(`${name.length} characters`)
    if (name.split('/').length > 12) throw new Error(name)
  }), 1000)
})

t.test('a GraphQL operation has its name from the query string or the beginning of the body', async t => {
  const cases: Array<[url: string, body: string, name: string | undefined]> = [
    ['/g', '', undefined],
    ['/g', '{"operationName":"Users","query":"query Other { a }"}', 'Users'],
    ['/g', '{"query":"\\n  # all of them\\n query AllUsers($id: ID) { a }"}', 'AllUsers'],
    ['/g', '{"query":"mutation Save{ a }","operationName":null}', 'Save'],
    ['/g', '{"query":"subscription , Feed { a }"}', undefined],
    ['/g', '{"query":"{ a(text: \\"query Hidden\\") }"}', undefined],
    ['/g', '{"query":"query { a }"}', undefined],
    ['/g', '[{"operationName":"First"},{"operationName":"Second"}]', 'First'],
    ['/g', 'query Plain { a }', 'Plain'],
    ['/g', `{"variables":{"a":"${'x'.repeat(3000)}`, undefined],
    ['/g?operationName=One&query=x', '', 'One'],
    ['/g?query=query%20Two%20%7Ba%7D', '', 'Two'],
    ['/g?query=%7Ba%7D', '{"operationName":"Three"}', 'Three'],
    ['/g?operationName=%3Cb%3E', '', undefined],
    ['/g?x=1', '', undefined]
  ]
  for (const [url, body, name] of cases) t.equal(operationName(url, Buffer.from(body)), name, url + body.slice(0, 80))
})

t.test('names: by route, by path, by operation, by function', async t => {
  const raw = (url: string) => ({ method: 'POST', url, headers: { 'x-a': '1' } }) as unknown as IncomingMessage
  const plain = endpointRoute('/users/:id')
  const wild = endpointRoute('/api/*')
  t.strictSame([plain.wildcard, wild.wildcard], [false, true])
  t.equal(pathName(plain, raw('/users/7')), '/users/:id')
  t.equal(pathName(wild, raw('/api/users/7?a=/x/y')), '/api/users/*')
  t.equal(pathName(wild, raw('http://h/api/users')), '/api/users')
  const none = Buffer.alloc(0)
  t.equal(ownName('graphql', plain, raw('/g?operationName=A'), none), 'A')
  let asked: object | null = null
  const name = ownName(request => {
    asked = { ...request }
    request.headers['x-a'] = 'changed'
    return 'mine'
  }, wild, raw('/api/x?y=1'), Buffer.from('body'))
  t.equal(name, 'mine')
  t.strictSame(asked, { method: 'POST', path: '/api/x?y=1', headers: { 'x-a': 'changed' }, bodyHead: Buffer.from('body'), route: '/api/*' })
  t.equal(ownName(() => undefined, wild, raw('/'), none), undefined)
  t.match(ownName(() => 'x'.repeat(1000), wild, raw('/'), none), /^x{91}~[0-9a-f]{8}$/)
  for (const wrong of [1, '', null, Promise.resolve('a'), Promise.reject(new Error('late')), {}]) {
    t.throws(() => ownName(() => wrong as string, wild, raw('/'), none), /must return a name/)
  }
})

t.test('a full table keeps what it has', async t => {
  const endpoints = new Endpoints(2)
  const [a, b] = [endpoints.add('GET', '/a'), endpoints.add('GET', '/b')]
  t.equal(endpoints.add('GET', '/a'), a)
  t.equal(endpoints.limited, false)
  t.equal(endpoints.add('POST', '/a'), endpoints.other)
  t.equal(endpoints.limited, true)
  t.equal(endpoints.find('GET', '/b'), b)
  t.equal(endpoints.find('POST', '/a'), undefined)
  t.equal(endpoints.find('GET', '/c'), undefined)
  t.strictSame(endpoints.all.map(({ name }) => name), ['GET /a', 'GET /b', '(not found)', '(other)', '(pending)'])
  t.equal(new Endpoints(1).add('', 'Users').name, 'Users')
})

t.test('every reason has its place', async t => {
  t.strictSame(KIND_OF_DROP, {
    inFlight: KIND.lost, memory: KIND.lost, breaker: KIND.failed, closing: KIND.leftOut, thread: KIND.lost, path: KIND.leftOut, error: KIND.lost
  })
  t.match(KIND_OF_FAILURE, { timeout: KIND.failed, slow: KIND.failed, memory: KIND.lost, aborted: KIND.leftOut, staleConnection: KIND.leftOut })
  t.match(KIND_OF_UNCOMPARED, { off: KIND.uncompared, busy: KIND.busy, primaryAborted: KIND.aside, error: KIND.uncompared })
})

t.test('a request whose endpoint turns out takes all that was counted of it along', async t => {
  const endpoints = new Endpoints(10)
  const start = () => {
    const entry = new Entry(endpoints.pending, 0)
    entry.begin(KIND.inFlight)
    entry.become(KIND.comparing)
    return entry
  }
  const [a, b] = [start(), start()]
  a.mismatch(KIND.mismatched)
  a.pair(100, true)
  const pending = endpoints.pending.of(0)
  t.match(pending, { mirrored: 2, comparing: 1, compared: 1, mismatched: 1, pairs: 1, slower: 1 })
  const endpoint = endpoints.add('GET', '/a')
  a.moveTo(endpoint)
  b.moveTo(endpoint)
  b.become(KIND.matched)
  b.pair(-100, false)
  t.match(pending, { mirrored: 0, comparing: 0, compared: 0, mismatched: 0, pairs: 0, slower: 0 })
  const books = endpoint.of(0)
  t.match(books, { mirrored: 2, compared: 2, matched: 1, mismatched: 1, pairs: 2, slower: 1, success: 2 })
  t.ok(books.latestMismatch > 0)
  const steps = endpointSteps(endpoints, new Array(1000).fill('shadow'), () => 'ready')
  let count = 0
  while (steps.next().done !== true) count++
  t.equal(count, 3, 'many are read in steps')
  const list = atOnce(endpointSteps(endpoints, ['shadow'], () => 'ready'))
  t.strictSame(list.endpoints.map(({ name, share }) => [name, share]), [['GET /a', 1]])
  t.match(list.endpoints[0].backends[0], { p99: 103, verdict: 'ready', latestMismatch: /^20.*Z$/ })
})

t.test('differences have percentiles to 5 %', async t => {
  const random = seeded(3)
  for (const scale of [1, 100, 10_000]) {
    const spread = new Spread()
    t.strictSame(spread.percentiles([95]), [null])
    const samples = Array.from({ length: 2000 }, () => (random() - 0.5) * scale)
    for (const sample of samples) spread.add(sample, 1)
    samples.sort((a, b) => a - b)
    const percents = [10, 50, 95, 99]
    for (const [i, found] of spread.percentiles(percents).entries()) {
      const wanted = samples[Math.ceil(percents[i] * 20) - 1]
      t.ok(Math.abs(found as number - wanted) <= Math.max(0.0625, 0.05 * Math.abs(wanted)), `${found}, wanted ${wanted}`)
    }
    for (const sample of samples) spread.add(sample, -1)
    t.strictSame([spread.total, ...spread.percentiles([99])], [0, null])
  }
  const extremes = new Spread()
  for (const ms of [1e9, -1e9, 0, -0]) extremes.add(ms, 1)
  const [low, middle, high] = extremes.percentiles([1, 50, 100]) as number[]
  t.ok(low < -60_000 && middle === 0 && high > 60_000)
})

t.test('to count a matching answer by its endpoint costs little, and 200 endpoints are told in no time', async t => {
  const endpoints = new Endpoints(200)
  for (let i = 0; i < 200; i++) endpoints.add('GET', `/api/things/kind${'abcdefghij'[i % 10]}${'klmnopqrstuvwxyzabcd'[Math.floor(i / 10)]}/*`)
  const route = endpointRoute('/api/*')
  const raws = Array.from({ length: 100 }, (_, i) => ({ method: 'GET', url: `/api/things/kind${'abcdefghij'[i % 10]}k/${i}` }) as IncomingMessage)
  let fastest = Infinity
  for (let round = 0; round < 200; round++) {
    const begun = performance.now()
    for (const raw of raws) {
      const endpoint = endpoints.find('GET', pathName(route, raw))
      const entry = new Entry(endpoint ?? endpoints.pending, 0)
      entry.begin(KIND.inFlight)
      entry.become(KIND.comparing)
      entry.become(KIND.matched)
      entry.pair(1.5, false)
    }
    fastest = Math.min(fastest, performance.now() - begun)
  }
  t.comment(`${(fastest * 10).toFixed(3)} µs`)
  t.ok(fastest * 10 < 2, `${fastest * 10} µs a request`)
  t.equal(endpoints.pending.of(0).mirrored, 0)

  for (const [i, { of }] of endpoints.judged.entries()) of.call(endpoints.judged[i], 0).counts[KIND.matched]++
  let told = Infinity
  for (let round = 0; round < 30; round++) {
    const begun = performance.now()
    atOnce(endpointSteps(endpoints, ['shadow'], () => 'ready'))
    told = Math.min(told, performance.now() - begun)
  }
  t.comment(`${told.toFixed(3)} ms`)
  t.ok(told < 1, `${told} ms`)
  t.ok(new EndpointBooks().mirrored === 0)
})
