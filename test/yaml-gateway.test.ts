import t from 'tap'
import type { Test } from 'tap'
import { mkdtempSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import type { ServerResponse } from 'node:http'
import { networkInterfaces, tmpdir } from 'node:os'
import { join } from 'node:path'
import Fastify from 'fastify'
import { AdminListener } from '../examples/gateway/admin-listener'
import { readConfig } from '../examples/gateway/config'
import { RouteError, createGateway } from '../examples/gateway/gateway'
import { rotation } from '../examples/gateway/rotation'
import { FileError, YamlFile } from '../examples/gateway/yaml-file'
import type { MirrorSnapshot } from '../types/index'
import { startBackend } from './helpers/backend'
import { booksClose } from './helpers/books'
import { keepAlive } from './helpers/gateway'
import { until } from './helpers/until'
import { startExample } from './helpers/example'

const folder = mkdtempSync(join(tmpdir(), 'gateway-'))

/** As the Go gateway has it. */
const FILE = `routes:
  - id: "api"
    path: "/api"
    path_prefix: true
    backends:
      - url: "http://production:9000"
    mirror:
      enabled: true
      percentage: 50
      backends:
        - url: "http://shadow:9000"
      conditions:
        methods: ["GET", "POST"]
        headers:
          X-Mirror: "true"
        path_regex: "^/api/v2/.*"
      compare:
        enabled: true
        log_mismatches: true
`

const ON_FREE_PORTS = `listeners:
  - address: "127.0.0.1:0"
admin:
  port: 0
`

/** As its README says. */
const BY_NPM = ['npm', 'start', '--silent', '--']

function startGateway (t: Test, text: string, [command, ...args] = BY_NPM) {
  const path = join(folder, `${t.name.replace(/\W+/g, '-')}.yaml`)
  writeFileSync(path, text)
  const child = startExample(t, command, [...args, path])
  return Object.assign(child, {
    path,
    log: () => child.stdout.split('\n').slice(0, -1).map(line => JSON.parse(line)),
    addressOf: (listener: 'Server' | 'Admin') => new RegExp(`"${listener} listening at (http:[^"]+)"`).exec(child.stdout)?.[1]
  })
}

async function startListening (t: Test, text: string, command = BY_NPM) {
  const gateway = startGateway(t, text, command)
  await until('it listens', () => gateway.addressOf('Server') ?? gateway.stderr, 60_000)
  t.equal(gateway.stderr, '')
  return { gateway, url: gateway.addressOf('Server') as string, admin: gateway.addressOf('Admin') as string }
}

t.test('a gateway runs from the file of the Go gateway, with numbers on a port of their own', async t => {
  const production = await startBackend(t)
  const shadow = await startBackend(t, (request, response) => response.end(request.method === 'POST' ? 'else' : 'ok'))
  const a = await startBackend(t)
  const b = await startBackend(t)
  const { gateway, url, admin } = await startListening(t, ON_FREE_PORTS + '  hosts: [ops.internal]\n' +
    FILE.replace('http://production:9000', production.url).replace('http://shadow:9000', shadow.url) + `
  - id: "users"
    path: "/users"
    backends:
      - url: "${a.url}"
        weight: 2
      - url: "${b.url}"
  - id: "old"
    path: "/old"
    path_prefix: true
    strip_prefix: true
    backends: [{ url: "${a.url}" }]
  - id: "their own"
    path: "/mirrors"
    backends: [{ url: "${production.url}" }]
`)

  const ask = async (path: string, method = 'GET', headers: Record<string, string> = { 'x-mirror': 'TRUE' }) => {
    const response = await fetch(url + path, { method, headers, body: method === 'GET' ? undefined : 'a body' })
    return [response.status, await response.text()]
  }
  for (let i = 0; i < 40; i++) t.strictSame(await ask(`/api/v2/items/${i}?n=1`, i % 2 ? 'POST' : 'GET'), [200, 'ok'])
  await ask('/api/v2/items', 'PUT')
  await ask('/api/v2/items', 'GET', {})
  await ask('/api/v2/items', 'GET', { 'x-mirror': 'no' })
  await ask('/api/v1/items')
  await ask('/api')

  const read = async () => (await (await fetch(`${admin}/mirrors`)).json() as Record<string, MirrorSnapshot>).api
  let mirror = await read()
  await until('every copy is compared', () => {
    read().then(now => { mirror = now })
    return mirror.backends[0].compared === mirror.mirrored
  })
  t.match(mirror, { id: 'api', percentage: 50, seen: 45, filtered: 5, routes: [{ url: '/api' }, { url: '/api/*' }] })
  t.equal(mirror.mirrored + mirror.unsampled, 40)
  t.ok(mirror.mirrored > 0 && mirror.unsampled > 0, 'half of them')
  t.match(mirror.backends, [{ url: shadow.url, success: mirror.mirrored }], 'URLs are shown here')
  booksClose(t, mirror)
  t.equal(shadow.requests.length, mirror.mirrored)
  for (const { method, url, headers } of shadow.requests) {
    t.match({ method, url, headers }, { method: /^(GET|POST)$/, url: /^\/api\/v2\/items\/\d+\?n=1$/, headers: { 'x-mirrored-from': /./ } })
  }
  const posts = shadow.requests.filter(({ method }) => method === 'POST').length
  t.equal(mirror.backends[0].mismatched, posts)
  t.equal(gateway.log().filter(({ msg, mirror }) => msg === 'mirror mismatch' && mirror === 'api').length, Math.min(posts, 10), 'log_mismatches, as far as lines are logged')
  t.match(production.requests.map(({ url }) => url).slice(-2), ['/api/v1/items', '/api'], 'production gets the whole path')

  t.strictSame(await ask('/mirrors'), [200, 'ok'])
  t.equal(production.requests.at(-1)?.url, '/mirrors', 'a path like the admin\'s is free for a backend')
  t.equal((await fetch(`${url}/mirrors/api`)).status, 404, 'no numbers where clients are')
  t.equal((await fetch(`${admin}/api/v2/items`)).status, 404, 'no clients where the numbers are')
  t.equal((await fetch(`${admin}/mirrors/api/mismatches`)).status, 200)
  const byName = (host: string) => new Promise(resolve => {
    http.get(`${admin}/mirrors`, { headers: { host } }, response => resolve(response.resume().statusCode))
  })
  t.strictSame(await Promise.all(['evil.test', 'localhost:1', '127.0.0.1', '[::1]', 'ops.internal'].map(byName)), [421, 200, 200, 200, 200])
  const off = await fetch(`${admin}/mirrors/api`, {
    method: 'PATCH', body: '{"enabled":false}', headers: { 'content-type': 'application/json' }
  })
  t.match(await off.json(), { enabled: false })

  const toA = a.requests.length
  for (let i = 0; i < 6; i++) await ask(`/users?${i}`)
  t.strictSame(b.requests.map(({ url }) => url), ['/users?1', '/users?4'])
  t.equal(a.requests.length - toA, 4, 'in turn, by weight')
  t.equal((await ask('/users/1'))[0], 404, 'without path_prefix the path alone')
  t.equal((await ask('/apis'))[0], 404)
  await ask('/old/things?x')
  t.equal(a.requests.at(-1)?.url, '/things?x')

  gateway.signal('SIGINT')
  t.strictSame(await gateway.ended, [0, null], 'Ctrl-C')
  t.equal(gateway.stderr, '')
})

t.test('at SIGTERM requests under way are answered, and the process ends', async t => {
  const held: ServerResponse[] = []
  const production = await startBackend(t, (request, response) => {
    held.push(response)
    if (request.url === '/api/begun') response.write('begun, ')
  })
  const { gateway, url, admin } = await startListening(t, ON_FREE_PORTS +
    FILE.replace('http://production:9000', production.url).replace('http://shadow:9000', production.url))
  const asked = fetch(`${url}/api/waiting`)
  const begun = await keepAlive(t, url).request({ method: 'GET', path: '/api/begun' })
  await until('both are at the backend', () => held.length === 2)

  gateway.kill()
  await until('it closes', () => gateway.log().some(({ msg }) => msg === 'closing'))
  await t.rejects(fetch(`${admin}/mirrors`))
  for (const response of held) response.end('ended')
  const answer = await asked
  t.equal(await answer.text(), 'ended')
  t.equal(answer.headers.get('connection'), 'close')
  t.equal(await begun.body.text(), 'begun, ended')
  const answered = performance.now()
  t.strictSame(await gateway.ended, [0, null])
  t.ok(performance.now() - answered < 5000, 'no connection is kept alive')
})

t.test('a connection to a backend that hangs, whose client has left, does not keep the process alive', async t => {
  const production = await startBackend(t, () => {})
  const { gateway, url } = await startListening(t, ON_FREE_PORTS + FILE.replace('http://production:9000', production.url))
  const leave = new AbortController()
  const left = t.rejects(fetch(`${url}/api/hung`, { signal: leave.signal }))
  await until('it is at the backend', () => production.requests.length === 1)
  leave.abort()
  await left
  const killed = performance.now()
  gateway.kill()
  t.strictSame(await gateway.ended, [0, null])
  t.ok(performance.now() - killed < 5000)
  t.match(gateway.log().at(-1), { msg: 'closed' })
})

t.test('a signal that comes again, as npm passes it on late, does not kill a gateway that has closed', async t => {
  const { gateway } = await startListening(t, ON_FREE_PORTS + FILE, [process.execPath, '--import', 'tsx', 'examples/gateway/index.ts'])
  const passOn = setInterval(gateway.kill, 1)
  t.teardown(() => clearInterval(passOn))
  t.strictSame(await gateway.ended, [0, null])
  t.match(gateway.log().at(-1), { msg: 'closed' })
})

t.test('a bad file ends the process before anything listens', async t => {
  const gateway = startGateway(t, FILE.replace('methods:', 'method:'))
  t.strictSame(await gateway.ended, [1, null])
  t.equal(gateway.stdout, '')
  t.match(gateway.stderr, `${gateway.path}: line 7: FST_MIRROR_UNKNOWN_OPTION: route `)
  t.match(gateway.stderr, 'mirror.conditions.method (["GET","POST"]) is not an option, did you mean "methods"?')
  t.notMatch(gateway.stderr, /^ +at /m, 'no stack')
})

/** What is wrong with a file: `line: reason`. */
async function faultOf (text: string): Promise<string | null> {
  try {
    const file = new YamlFile(text)
    const config = readConfig(file)
    try {
      const { app } = await createGateway({ ...config, admin: { ...config.admin, enabled: false } })
      await app.close()
      return null
    } catch (error) {
      if (!(error instanceof RouteError)) throw error
      throw new FileError(file.lineOf(['routes', error.route, 'mirror']), error.message)
    }
  } catch (error) {
    if (!(error instanceof FileError)) throw error
    return `${error.line}: ${error.message}`
  }
}

t.test('what is wrong with a file is said with its line', async t => {
  const route = '- { id: a, path: /a, backends: [{ url: "http://a" }] }\n'
  const cases: Array<[text: string, expected: string | RegExp]> = [
    ['', '1: the file must be a mapping'],
    ['routes:\n\t- id: a', '2: Tabs are not allowed as indentation'],
    ['routes: [\n  "a"', /^2: Flow sequence in block collection/],
    ['routes:\n  - a: 1\n    a: 2', '3: Map keys must be unique'],
    ['routes:\n  - id: *a', '2: nothing is called &a'],
    ['a: 1\n---\nb: 1', /^2: .*multiple documents/],
    ['routes: 1\nroute: 2', '2: route is not a key; there are listeners, admin, routes'],
    ['admin: {}', '1: routes is missing'],
    ['routes: []', '1: routes must be a list of one or more'],
    ['routes:\n- id: a\n  path: /a\n  bakends: []', /^4: routes\[0\]\.bakends is not a key; there are id, path, .*backends/],
    ['routes:\n- id: a\n  path: /a', '2: routes[0].backends is missing'],
    ['routes:\n- id: a\n  path: a', '2: routes[0].backends is missing'],
    [`listeners:\n- address: "8080"\nroutes:\n${route}`, /^2: listeners\[0\]\.address must be host:port/],
    [`admin:\n  hosts: ['ops:80']\nroutes:\n${route}`, '2: admin.hosts[0] must be a host name or an address, without a port'],
    [`admin:\n  port: 70000\nroutes:\n${route}`, '2: admin.port must be a port'],
    [`routes:\n${route}${route.replace('/a', '/b')}`, '3: there is another route with id "a"'],
    [`routes:\n${route}${route.replace(': a', ': b')}`, '3: there is another route with path "/a"'],
    [`x: &x [${'1,'.repeat(99)}]\ny: &y [${'*x,'.repeat(99)}]\nroutes: [${'*y,'.repeat(99)}]`, /^1: Excessive alias count/],
    ['routes:\n- &a\n  id: a\n  path: /a\n  backends: [{ url: "http://a" }]\n- <<: *a\n  id: b\n  path: /b/:x', /^8: routes\[1\]\.path must be a path/],
    [FILE.replace('http://production:9000', 'http://production:9000/api'), /^6: routes\[0\]\.backends\[0\]\.url must be http: or https:/],
    [FILE.replace('http://production:9000', 'http://production:90000'), /^6: routes\[0\]\.backends\[0\]\.url must be/],
    [FILE.replace('50', '500'), /^7: FST_MIRROR_INVALID_OPTION: .*mirror\.percentage must be .*got 500/],
    [FILE.slice(0, FILE.indexOf('      enabled')), '7: routes[0].mirror must be a mapping']
  ]
  for (const [text, expected] of cases) {
    const fault = await faultOf(text)
    if (typeof expected === 'string') t.equal(fault, expected)
    else t.match(fault, expected)
  }
})

t.test('the file needs routes and nothing else', async t => {
  t.equal(await faultOf(FILE), null)
  t.match(readConfig(new YamlFile(FILE)), {
    listeners: [{ address: ':8080' }],
    admin: { enabled: true, host: '127.0.0.1', port: 8081, hosts: [] },
    routes: [{ id: 'api', path_prefix: true, strip_prefix: false, backends: [{ weight: 1 }] }]
  })
  t.match(readConfig(new YamlFile('routes: [{ id: a, path: /, backends: [{ url: "http://[::1]:1/" }] }]')), { routes: [{ path_prefix: false }] })
})

t.test('at all addresses, the numbers are asked for by each of them', async t => {
  const listener = new AdminListener(Fastify(), { host: '0.0.0.0', hosts: [] })
  t.ok(Object.values(networkInterfaces()).flat().every(one => listener.options.hosts?.includes((one?.address as string).replace(/%.*/, ''))))
})

t.test('backends take turns by weight', async t => {
  const next = rotation([{ url: 'a', weight: 5 }, { url: 'b', weight: 1 }, { url: 'c', weight: 1 }])
  t.equal(Array.from({ length: 14 }, next).join(''), 'aabacaaaabacaa')
})
