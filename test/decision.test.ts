import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { connect, type AddressInfo } from 'node:net'
import { RE2JS } from 're2js'
import t from 'tap'
import { compileConditions } from '../lib/decision/conditions'
import { keyReader } from '../lib/decision/key'
import { keyHash, MAX_KEY_LENGTH, Sampler } from '../lib/decision/sampler'
import type { ConditionsConfig } from '../lib/options/config'
import { originForm, routedPath } from '../lib/request-target'

function conditions (config: Partial<ConditionsConfig>) {
  return compileConditions({ methods: null, headers: [], pathRegex: null, ...config })
}

const servers: Server[] = []
t.before(async () => {
  for (const joinDuplicateHeaders of [false, true]) {
    const server = createServer({ joinDuplicateHeaders }).listen(0, '127.0.0.1')
    servers.push(server)
    await once(server, 'listening')
  }
})
t.teardown(() => {
  for (const server of servers) server.close()
})

/** What Node's parser makes of a request with these header lines. */
async function received (lines: readonly string[], server = servers[0]): Promise<IncomingMessage> {
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
  socket.write(['GET / HTTP/1.1', 'Host: gateway', ...lines, 'Connection: close', '', ''].join('\r\n'), 'latin1')
  const [request, response] = await once(server, 'request') as [IncomingMessage, ServerResponse]
  response.end()
  socket.resume()
  await once(socket, 'close')
  return request
}

t.test('without conditions every request matches', async t => {
  t.ok(conditions({}).matches('GET', {}, [], '/'))
  t.ok(conditions({}).matches('PROPFIND', { 'x-any': 'thing' }, ['X-Any', 'thing'], '*'))
})

t.test('methods', async t => {
  const posts = conditions({ methods: new Set(['POST', 'PUT']) })
  t.ok(posts.matches('POST', {}, [], '/'))
  t.ok(posts.matches('PUT', {}, [], '/'))
  t.notOk(posts.matches('GET', {}, [], '/'))
})

t.test('headers', async t => {
  const cases: Array<[title: string, name: string, expected: string | true, lines: string[], matches: boolean]> = [
    ['absent', 'x-mirror', 'true', [], false],
    ['equal', 'x-mirror', 'true', ['X-Mirror: true'], true],
    ['equal, ignoring the case of name and value', 'x-mirror', 'true', ['x-MIRROR: TRUE'], true],
    ['equal, ignoring the case of Latin-1 letters', 'x-mirror', '\u00e9t\u00e9', ['X-Mirror: \u00c9T\u00c9'], true],
    ['another value', 'x-mirror', 'true', ['X-Mirror: false'], false],
    ['a longer value', 'x-mirror', 'true', ['X-Mirror: true story'], false],
    ['a value that ends alike', 'x-mirror', 'true', ['X-Mirror: untrue, or not'], false],
    ['the value under another name', 'x-mirror', 'true', ['X-Mirror: a, b, c', 'X-Other: true'], false],
    ['the value under a longer name', 'x-mirror', 'true', ['X-Mirror: a, b, c', 'X-Mirrors: true'], false],
    ['the name as a value', 'x-mirror', 'true', ['X-Mirror: a, b, c', 'X-Other: x-mirror', 'True: x'], false],
    ['first of several lines', 'x-mirror', 'b', ['X-Mirror: B', 'X-Mirror: c'], true],
    ['last of several lines', 'x-mirror', 'b', ['X-Mirror: a', 'Accept: */*', 'x-mirror: B'], true],
    ['none of several lines', 'x-mirror', 'b', ['X-Mirror: a', 'X-Mirror: c'], false],
    ['one value of a list on one line is not the whole value', 'x-mirror', 'b', ['X-Mirror: a, b'], false],
    ['a list on one line', 'x-mirror', 'a, b', ['X-Mirror: a, b'], true],
    ['an empty value', 'x-mirror', '', ['X-Mirror:'], true],
    ['an empty value beside another', 'x-mirror', '', ['X-Mirror: a', 'X-Mirror:'], true],
    ['two empty values', 'x-mirror', '', ['X-Mirror:', 'X-Mirror:'], true],
    ['an empty value where there is one', 'x-mirror', '', ['X-Mirror: a'], false],
    ['present', 'x-mirror', true, ['X-Mirror: whatever'], true],
    ['present but empty', 'x-mirror', true, ['X-Mirror:'], true],
    ['not present', 'x-mirror', true, ['X-Mirrors: true'], false],
    ['second line of a header of which Node keeps the first', 'user-agent', 'b', ['User-Agent: a', 'User-Agent: B'], true],
    ['no line of a header of which Node keeps the first', 'user-agent', 'c', ['User-Agent: a', 'User-Agent: b'], false],
    ['first line of a header of which Node keeps the first', 'user-agent', 'a', ['User-Agent: a', 'User-Agent: b'], true],
    ['one of several cookie lines', 'cookie', 'b=2', ['Cookie: a=1', 'Cookie: b=2'], true],
    ['one of several Set-Cookie lines', 'set-cookie', 'b=2', ['Set-Cookie: a=1', 'Set-Cookie: B=2'], true],
    ['no Set-Cookie line', 'set-cookie', 'c=3', ['Set-Cookie: a=1', 'Set-Cookie: b=2'], false],
    ['a present Set-Cookie', 'set-cookie', true, ['Set-Cookie: a=1'], true],
    ['a name that objects inherit, absent', 'constructor', true, [], false],
    ['a name that objects inherit, with a text, absent', 'constructor', 'true', [], false],
    ['a name that objects inherit, present', 'constructor', 'true', ['Constructor: true'], true],
    ['the prototype', '__proto__', true, ['__proto__: true'], false]
  ]
  for (const [title, name, expected, lines, matches] of cases) {
    const { headers, rawHeaders } = await received(lines)
    t.equal(conditions({ headers: [[name, expected]] }).matches('GET', headers, rawHeaders, '/'), matches, title)
  }
})

t.test('a repeated header matches by any value where the server joins all of them', async t => {
  const { headers, rawHeaders } = await received(['User-Agent: a', 'User-Agent: b'], servers[1])
  t.equal(headers['user-agent'], 'a, b')
  for (const [expected, matches] of [['a', true], ['b', true], ['c', false]] as const) {
    t.equal(conditions({ headers: [['user-agent', expected]] }).matches('GET', headers, rawHeaders, '/'), matches, expected)
  }
})

t.test('header lines are looked at only where the joined value leaves it open', async t => {
  const never = new Proxy<string[]>([], { get () { throw new Error('looked at') } })
  const one = conditions({ headers: [['x-mirror', 'true']] })
  t.ok(one.matches('GET', { 'x-mirror': 'True' }, never, '/'))
  t.notOk(one.matches('GET', { 'x-mirror': 'false' }, never, '/'))
  t.notOk(one.matches('GET', {}, never, '/'))
  t.throws(() => one.matches('GET', { 'x-mirror': 'a, b, c' }, never, '/'), /looked at/)
})

t.test('the path regex is unanchored and sees neither query nor host', async t => {
  const cases: Array<[regex: string, url: string, matches: boolean]> = [
    ['^/api/v2/.*', '/api/v2/users', true],
    ['^/api/v2/.*', '/api/v3/users', false],
    ['v2', '/api/v2/users', true],
    ['v2', '/api/v3?version=v2', false],
    ['users$', '/api/users?page=1', true],
    ['users$', '/api/users#v2', true],
    ['^/api', 'http://gateway:3000/api/v2', true],
    ['gateway', 'http://gateway:3000/api/v2', false],
    ['a b', '/a%20b', false],
    ['a%20b', '/a%20b', true],
    ['(?i)^/API', '/api', true],
    ['^\\*$', '*', true]
  ]
  for (const [regex, url, matches] of cases) {
    t.equal(conditions({ pathRegex: RE2JS.compile(regex) }).matches('GET', {}, [], url), matches, `${regex} on ${url}`)
  }
})

t.test('all conditions must hold', async t => {
  const all = conditions({
    methods: new Set(['POST']),
    headers: [['x-mirror', 'true'], ['x-tenant', true]],
    pathRegex: RE2JS.compile('^/api/v2/')
  })
  const headers = { 'x-mirror': 'true', 'x-tenant': '7' }
  t.ok(all.matches('POST', headers, [], '/api/v2/users'))
  t.notOk(all.matches('GET', headers, [], '/api/v2/users'))
  t.notOk(all.matches('POST', { ...headers, 'x-mirror': 'no' }, [], '/api/v2/users'))
  t.notOk(all.matches('POST', { 'x-mirror': 'true' }, [], '/api/v2/users'))
  t.notOk(all.matches('POST', headers, [], '/api/v3/users'))
})

t.test('request targets become origin form, byte for byte', async t => {
  const cases: Array<[url: string, target: string, path: string]> = [
    ['/', '/', '/'],
    ['/a/b?c=d', '/a/b?c=d', '/a/b'],
    ['/a%2Fb/%20/..;x//', '/a%2Fb/%20/..;x//', '/a%2Fb/%20/..;x//'],
    ['/?', '/?', '/'],
    ['/a??b?c', '/a??b?c', '/a'],
    ['/a#b', '/a', '/a'],
    ['/a?b#c?d', '/a?b', '/a'],
    ['/a#b?c', '/a', '/a'],
    ['//host/path', '//host/path', '//host/path'],
    ['/go?to=http://host/path', '/go?to=http://host/path', '/go'],
    ['http://host/path?x', '/path?x', '/path'],
    ['HTTPS://user:pw@[::1]:8443/path', '/path', '/path'],
    ['http://host', '/', '/'],
    ['http://host/', '/', '/'],
    ['http://host?x=/y', '/?x=/y', '/'],
    ['http://host#/y', '/', '/'],
    ['http://host//path', '//path', '//path'],
    ['http:///path', '/path', '/path'],
    ['urn+x.1-y://host/path', '/path', '/path'],
    ['*', '*', '*'],
    ['*?x', '/*?x', '/*'],
    ['', '/', '/'],
    ['#x', '/', '/'],
    ['?x', '/?x', '/'],
    ['path?x', '/path?x', '/path'],
    ['host:443', '/host:443', '/host:443'],
    ['a/b://c/d', '/a/b://c/d', '/a/b://c/d']
  ]
  for (const [url, target, path] of cases) {
    t.equal(originForm(url), target, `origin form of ${url}`)
    t.equal(routedPath(url), path, `path of ${url}`)
    t.equal(originForm(target), target, 'which it stays')
  }
})

t.test('a long hostile target is read in linear time', async t => {
  const target = `/${'a'.repeat(1_000_000)}`
  t.equal(routedPath('a'.repeat(1_000_000)), target)
  t.equal(routedPath(`http://${'a'.repeat(1_000_000)}`), '/')
})

const EVERY_PERCENTAGE = [0, 0.1, 1, 5, 10, 25, 33.3, 50, 75, 99, 99.9, 100]
const KEYS = Array.from({ length: 10_000 }, (_, i) => `u${i}`)

function never (): number {
  throw new Error('rolled')
}

/** Each of `rolls` equal parts of 0 to 1 once. */
function evenly (rolls: number): () => number {
  let roll = 0
  return () => roll++ % rolls / rolls
}

function share<T> (list: readonly T[], chosen: (item: T) => boolean): number {
  return list.filter(chosen).length / list.length * 100
}

t.test('a roll chooses its exact share of an even sequence', async t => {
  const cases = [[100, 10, 10], [100, 50, 50], [10, 10, 1], [10, 50, 5], [1000, 0.1, 1], [1000, 12.5, 125], [100, 99, 99]]
  for (const [requests, percentage, expected] of cases) {
    const list = Array.from({ length: requests })
    const mirror = new Sampler(evenly(requests))
    t.equal(list.filter(() => mirror.chosen(percentage, undefined)).length, expected, `${percentage} % of ${requests}`)
    const backend = new Sampler(evenly(requests))
    t.equal(list.filter(() => backend.chosenBackend(percentage, undefined, 'shadow')).length, expected)
  }
})

t.test('0 % and 100 % are decided without a roll', async t => {
  const sampler = new Sampler(never)
  t.notOk(sampler.chosen(0, undefined))
  t.ok(sampler.chosen(100, undefined))
  t.notOk(sampler.chosenBackend(0, undefined, 'shadow'))
  t.ok(sampler.chosenBackend(100, undefined, 'shadow'))
  t.throws(() => sampler.chosen(50, undefined), /rolled/)
})

t.test('rolls are random by default', async t => {
  const sampler = new Sampler()
  const requests = Array.from({ length: 10_000 })
  for (const [percentage, least, most] of [[50, 45, 55], [10, 7, 13], [1, 0.2, 2.5]]) {
    const got = share(requests, () => sampler.chosen(percentage, undefined))
    t.ok(got > least && got < most, `${percentage} %: ${got} %`)
  }
})

t.test('a key is never rolled, and always gets the same decision', async t => {
  const one = new Sampler(never)
  const another = new Sampler(never)
  for (const percentage of EVERY_PERCENTAGE) {
    const first = KEYS.map(key => one.chosen(percentage, key))
    t.strictSame(KEYS.map(key => another.chosen(percentage, key)), first, `${percentage} %`)
    const backend = KEYS.map(key => one.chosenBackend(percentage, key, 'shadow'))
    t.strictSame(KEYS.map(key => another.chosenBackend(percentage, key, 'shadow')), backend)
  }
})

t.test('the hash of a key is fixed, so that other processes and releases decide alike', async t => {
  t.equal(keyHash(''), 0xab3e7c0b)
  t.equal(keyHash('u0'), 0x3466efde)
  t.equal(keyHash('u0', 'shadow:9000'), 0x2faf145b)
})

t.test('keys are chosen by their share, however alike they are', async t => {
  const sampler = new Sampler(never)
  const families: Array<[string, string[]]> = [
    ['u0', KEYS],
    ['0', KEYS.map((_, i) => `${i}`)],
    ['user-0@example.com', KEYS.map((_, i) => `user-${i}@example.com`)],
    ['uuid', KEYS.map((_, i) => `6f9619ff-8b86-d011-b42d-${i.toString(16).padStart(12, '0')}`)],
    ['not Latin', KEYS.map((_, i) => `\u7528\u6237${i}`)]
  ]
  for (const [family, keys] of families) {
    const got = share(keys, key => sampler.chosen(10, key))
    t.ok(got > 9 && got < 11, `${family}: ${got} %`)
    const few = share(keys.slice(0, 200), key => sampler.chosen(10, key))
    t.ok(few > 3 && few < 18, `200 of ${family}: ${few} %`)
  }
})

t.test('fractions of a percent', async t => {
  const sampler = new Sampler(never)
  const keys = Array.from({ length: 100_000 }, (_, i) => `u${i}`)
  const got = share(keys, key => sampler.chosen(0.1, key))
  t.ok(got > 0.07 && got < 0.13, `0.1 %: ${got} %`)
})

t.test('0 % chooses no key, 100 % every key', async t => {
  const sampler = new Sampler(never)
  t.equal(share(KEYS, key => sampler.chosen(0, key)), 0)
  t.equal(share(KEYS, key => sampler.chosen(100, key)), 100)
})

t.test('raising the percentage keeps the keys already chosen', async t => {
  const sampler = new Sampler(never)
  let chosen: string[] = []
  for (const percentage of EVERY_PERCENTAGE) {
    const now = new Set(KEYS.filter(key => sampler.chosen(percentage, key)))
    t.ok(chosen.every(key => now.has(key)), `${percentage} %: ${now.size} keys`)
    chosen = [...now]
  }
})

t.test('a backend decides independently of its mirror and of other backends', async t => {
  const sampler = new Sampler(never)
  const keys = Array.from({ length: 100_000 }, (_, i) => `u${i}`)
  const mirrored = keys.filter(key => sampler.chosen(10, key))
  for (const name of ['shadow:9000', 'shadow:9000#2', 'a', 'b']) {
    const got = share(mirrored, key => sampler.chosenBackend(50, key, name))
    t.ok(got > 48 && got < 52, `${name} gets ${got} % of the mirror's 10 %`)
  }
  const first = mirrored.filter(key => sampler.chosenBackend(50, key, 'shadow:9000'))
  const both = share(first, key => sampler.chosenBackend(50, key, 'shadow:9000#2'))
  t.ok(both > 47 && both < 53, `the second gets ${both} % of what the first gets`)
})

t.test('only the beginning of a key without end is hashed', async t => {
  const longest = 'k'.repeat(MAX_KEY_LENGTH)
  t.equal(keyHash(`${longest}tail`), keyHash(longest))
  t.not(keyHash(longest.slice(1)), keyHash(longest))
})

t.test('keys are read from where sampleBy says', async t => {
  const request = { headers: { 'x-user': 'ada', 'x-empty': '', 'set-cookie': ['a=1'] }, user: 42 }
  const cases: Array<[title: string, sampleBy: Parameters<typeof keyReader<typeof request>>[0], key: string | undefined]> = [
    ['nowhere', null, undefined],
    ['a header', 'x-user', 'ada'],
    ['an absent header', 'x-other', undefined],
    ['an empty header', 'x-empty', undefined],
    ['a header that is a list', 'set-cookie', undefined],
    ['a header that objects inherit', 'constructor', undefined],
    ['a function', ({ headers }) => headers['x-user'], 'ada'],
    ['a function that gives a number', ({ user }) => user, '42'],
    ['a function that gives a bigint', () => 7n, '7'],
    ['a function that gives nothing', () => undefined, undefined],
    ['a function that gives null', () => null, undefined],
    ['a function that gives an empty text', () => '', undefined]
  ]
  for (const [title, sampleBy, key] of cases) t.equal(keyReader(sampleBy, error => t.error(error))(request), key, title)
})

t.test('a sampleBy that fails is reported, and the request has no key', async t => {
  const cases: Array<[title: string, sampleBy: () => unknown, messages: RegExp[]]> = [
    ['throws', () => { throw new Error('broken') }, [/^broken$/]],
    ['gives an object', () => ({}), [/must return a string or undefined, not object/]],
    ['gives a boolean', () => true, [/not boolean/]],
    ['is async', async () => 'ada', [/not object/]],
    ['is async and rejects', async () => { throw new Error('late') }, [/not object/, /^late$/]]
  ]
  for (const [title, sampleBy, messages] of cases) {
    const failures: unknown[] = []
    const read = keyReader<{ headers: {} }>(sampleBy, error => { failures.push(error) })
    t.equal(read({ headers: {} }), undefined, title)
    await new Promise(resolve => setImmediate(resolve))
    t.match(failures, messages.map(message => ({ message })), title)
    t.equal(failures.length, messages.length)
  }
})
