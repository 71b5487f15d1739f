import type { FastifyInstance } from 'fastify'
import t from 'tap'
import type { Test } from 'tap'
import type { FastifyMirrorOptions, MirrorPatch, MirrorSnapshot, SwitchState } from '../types/index'
import { startBackend } from './helpers/backend'
import type { Answer } from './helpers/backend'
import { booksClose } from './helpers/books'
import { keepAlive, modes, startGateway } from './helpers/gateway'
import type { LogLine } from './helpers/gateway'
import { until } from './helpers/until'

const GUARD = 'let me in'

const guarded: FastifyMirrorOptions = {
  admin: {
    onRequest: (request, reply, done) => {
      if (request.headers.authorization === GUARD) done()
      else reply.code(403).send({ message: 'operators only' })
    }
  }
}

interface Setup {
  plugin?: FastifyMirrorOptions
  answer?: Answer
  routes?: (app: FastifyInstance) => void
}

/** A gateway with a mirror `api` of two backends, `shadow` and `canary`, on `/`, whose log is kept from level info. */
async function setUp (t: Test, { plugin = guarded, answer, routes }: Setup = {}) {
  const shadows = [await startBackend(t, answer), await startBackend(t, answer)]
  const lines: LogLine[] = []
  const stream = { write: (line: string) => { lines.push(JSON.parse(line)) } }
  const gateway = await startGateway(t, {
    plugin,
    server: { logger: { level: 'info', stream } },
    routes: app => {
      const backends = [{ name: 'shadow', url: shadows[0].url }, { name: 'canary', url: shadows[1].url }]
      app.get('/', { mirror: { id: 'api', backends } }, async () => 'ok')
      app.get('/other', { mirror: { id: 'other', enabled: false, backends } }, async () => 'ok')
      routes?.(app)
    }
  })
  const { app } = gateway
  const client = keepAlive(t, gateway.url)
  const ask = async (path = '/') => (await client.request({ method: 'GET', path })).body.text()
  return {
    app,
    shadows,
    ask,
    mirrors: app.mirrors,
    mirror: (id = 'api') => app.mirrors.get(id) as MirrorSnapshot,
    idle: () => until('no copy is in flight', () => app.mirrors.get('api')?.backends.every(({ inFlight }) => inFlight === 0)),
    switched: () => lines.filter(({ msg }) => /switched$/.test(msg)),
    patch: (path: string, payload: unknown, headers: Record<string, string | undefined> = {}) => app.inject({
      method: 'PATCH',
      url: path,
      payload: payload as object,
      headers: Object.fromEntries(Object.entries({ 'content-type': 'application/json', authorization: GUARD, ...headers })
        .filter(([, value]) => value !== undefined))
    })
  }
}

for (const { mode, plugin } of modes) {
  t.test(`${mode}: a mirror is switched off and on, and copies in flight end normally`, async t => {
    const answers: Array<() => void> = []
    const { ask, mirrors, mirror } = await setUp(t, {
      plugin: { ...plugin, ...guarded },
      answer: (_, response) => { answers.push(() => response.end('ok')) }
    })
    await ask()
    await until('the copies are at the shadows', () => answers.length === 2)

    t.match(mirrors.update('api', { enabled: false }), { id: 'api', enabled: false, mirrored: 1 })
    await ask()
    await ask()
    t.match(mirror(), { enabled: false, seen: 3, disabled: 2, mirrored: 1, backends: [{ inFlight: 1 }, { inFlight: 1 }] })
    for (const answer of answers) answer()
    await until('both are answered', () => mirror().backends.every(({ success }) => success === 1))

    t.match(mirrors.update('api', { enabled: true }), { enabled: true, disabled: 2, mirrored: 1 })
    await ask()
    t.match(mirror(), { seen: 4, disabled: 2, mirrored: 2 })
    booksClose(t, mirror())
    await until('the copies are at the shadows', () => answers.length === 4)
    for (const answer of answers.slice(2)) answer()
    await until('both are answered', () => mirror().backends.every(({ success }) => success === 2))
    booksClose(t, mirror())
  })
}

t.test('the percentages of a mirror and of its backends are of the next request', async t => {
  const { ask, mirrors, mirror } = await setUp(t)
  mirrors.update('api', { percentage: 0 })
  await ask()
  t.match(mirror(), { percentage: 0, seen: 1, unsampled: 1 })

  mirrors.update('api', { percentage: 100, backends: { shadow: { percentage: 0 }, canary: { enabled: false } } })
  await ask()
  t.match(mirror(), {
    percentage: 100,
    mirrored: 1,
    backends: [
      { name: 'shadow', enabled: true, percentage: 0, offered: 1, unsampled: 1, total: 0 },
      { name: 'canary', enabled: false, percentage: 100, offered: 1, disabled: 1, total: 0 }
    ]
  })

  mirrors.update('api', { backends: { shadow: { percentage: 100 } } })
  await ask()
  t.match(mirror(), { mirrored: 2, backends: [{ percentage: 100, offered: 2, total: 1 }, { enabled: false, disabled: 2, total: 0 }] })
  booksClose(t, mirror())
})

const ALLOWED = 'allowed: enabled, percentage, reconnect, rules, by, backends'
const refused: Array<[body: unknown, message: string]> = [
  [{ enabled: 'no' }, 'mirror "api": enabled must be true or false, got "no"'],
  [{ enabled: null }, 'mirror "api": enabled must be true or false, got null'],
  [{ percentage: 101 }, 'mirror "api": percentage must be a number from 0 to 100, got 101'],
  [{ percentage: -1 }, 'mirror "api": percentage must be a number from 0 to 100, got -1'],
  [{ percentage: '50' }, 'mirror "api": percentage must be a number from 0 to 100, got "50"'],
  [{ percentage: 1, enabled: 1 }, 'mirror "api": enabled must be true or false, got 1'],
  [{ percntage: 50 }, `mirror "api": percntage (50) is not an option, did you mean "percentage"?; ${ALLOWED}`],
  [{ timeout: 1 }, `mirror "api": timeout (1) is not an option; ${ALLOWED}`],
  [[], 'mirror "api": options must be an object with enabled, percentage, rules, reconnect or backends, got []'],
  [null, 'mirror "api": options must be an object with enabled, percentage, rules, reconnect or backends, got null'],
  ['off', 'mirror "api": options must be an object with enabled, percentage, rules, reconnect or backends, got "off"'],
  [{ percentage: 1, backends: [] }, 'mirror "api": backends must be an object of at most 100 backends by name, got []'],
  [
    { percentage: 1, backends: { shadow: { percentage: 2 }, canray: { enabled: false } } },
    'mirror "api": backends.canray ({"enabled":false}) is not an option, did you mean "canary"?; allowed: shadow, canary'
  ],
  [{ backends: { 'v2:9000': {} } }, 'mirror "api": backends["v2:9000"] ({}) is not an option; allowed: shadow, canary'],
  [
    { percentage: 1, backends: { shadow: { percentage: 2 }, canary: { percentage: 200 } } },
    'mirror "api": backends.canary.percentage must be a number from 0 to 100, got 200'
  ],
  [
    { backends: { shadow: { enable: false } } },
    'mirror "api": backends.shadow.enable (false) is not an option, did you mean "enabled"?; allowed: enabled, percentage'
  ],
  [{ backends: { shadow: false } }, 'mirror "api": backends.shadow must be an object with enabled or percentage, got false'],
  [{ backends: { shadow: null } }, 'mirror "api": backends.shadow must be an object with enabled or percentage, got null'],
  [
    { backends: Object.fromEntries(Array.from({ length: 101 }, (_, i) => [`b${i}`, {}])) },
    /^mirror "api": backends must be an object of at most 100 backends by name, got /.source
  ]
]

t.test('a change that is wrong anywhere changes nothing, and says what is allowed', async t => {
  const { mirrors, mirror, patch, switched } = await setUp(t)
  const before = mirror()
  for (const [body, expected] of refused) {
    const matches = expected.startsWith('^') ? new RegExp(expected) : expected
    try {
      mirrors.update('api', body as MirrorPatch)
      t.fail(`${JSON.stringify(body)} was taken`)
    } catch (error) {
      t.match(error, { statusCode: 400, message: matches })
      t.match((error as { code: string }).code, /^FST_MIRROR_(?:INVALID|UNKNOWN)_OPTION$/)
    }
    const answer = await patch('/mirrors/api', JSON.stringify(body))
    t.equal(answer.statusCode, 400)
    t.match(answer.json(), { statusCode: 400, error: 'Bad Request', code: /^FST_MIRROR_/, message: matches })
  }
  t.strictSame(mirror(), before)
  t.strictSame(switched(), [])
})

t.test('there is no mirror of an unknown id to change, whatever is asked', async t => {
  const { mirrors, patch } = await setUp(t)
  for (const id of ['apu', '', '__proto__']) t.equal(mirrors.update(id, { enabled: false }), undefined)
  t.equal(mirrors.update('nobody', { nonsense: 1 } as MirrorPatch), undefined)
  const answer = await patch('/mirrors/nobody', { enabled: false })
  t.equal(answer.statusCode, 404)
  t.match(answer.json(), { message: /there is no mirror .*nobody/ })
})

t.test('names of backends may be any text', async t => {
  const { mirrors } = await setUp(t, {
    routes: app => {
      const backends = ['__proto__', 'a/b~1', 'my_shadow'].map(name => ({ name, url: 'http://127.0.0.1:1' }))
      app.get('/odd', { mirror: { id: 'odd', enabled: false, backends } }, async () => 'ok')
    }
  })
  const patch = JSON.parse('{ "backends": { "__proto__": { "percentage": 1 }, "a/b~1": { "percentage": 2 }, "my_shadow": { "percentage": 3 } } }')
  t.match(mirrors.update('odd', patch)?.backends.map(({ percentage }) => percentage), [1, 2, 3])
  t.throws(() => mirrors.update('odd', { backends: { 'a/b~1': { percentage: 'x' } } } as unknown as MirrorPatch), {
    message: 'mirror "odd": backends["a/b~1"].percentage must be a number from 0 to 100, got "x"'
  })
  t.equal(({} as Record<string, unknown>).percentage, undefined)
})

t.test('PATCH changes what it is told, answers the new state, and says who asked', async t => {
  const { patch, mirror, switched, app } = await setUp(t)
  const answer = await patch('/mirrors/api', { percentage: 12.5, enabled: true, backends: { canary: { enabled: false } } })
  t.equal(answer.statusCode, 200)
  t.strictSame(answer.json(), JSON.parse(JSON.stringify(mirror())))
  t.match(mirror(), { enabled: true, percentage: 12.5, backends: [{ enabled: true }, { enabled: false }] })
  t.match(switched(), [{
    level: 30,
    reqId: /^req-/,
    mirror: 'api',
    before: { percentage: 100, backends: { canary: { enabled: true } } },
    after: { percentage: 12.5, backends: { canary: { enabled: false } } },
    msg: 'mirror switched'
  }])
  t.strictSame(Object.keys(switched()[0].after as object), ['percentage', 'backends'], 'only what is other than before')
  t.strictSame((switched()[0].after as { backends: object }).backends, { canary: { enabled: false } })

  t.equal((await patch('/mirrors/api', { percentage: 12.5, backends: {} })).statusCode, 200)
  t.equal((await patch('/mirrors/api', {})).json().percentage, 12.5)
  t.equal(switched().length, 1, 'and nothing that is as it was')

  app.mirrors.update('api', { enabled: false })
  t.equal(switched().length, 2)
  t.notOk('reqId' in switched()[1], 'from code it is the app')
  const log = app.log.child({ job: 'nightly' })
  app.mirrors.update('api', { enabled: true }, log)
  app.mirrors.updateAll({ enabled: false }, log)
  t.match(switched().slice(2), [{ job: 'nightly', mirror: 'api' }, { job: 'nightly', before: { enabled: true }, after: { enabled: false } }])
})

t.test('PATCH is logged where the admin routes are silent', async t => {
  const { patch, switched } = await setUp(t, {
    plugin: { admin: { ...guarded.admin as object, routeOptions: { logLevel: 'silent' } } }
  })
  await patch('/mirrors/api', { enabled: false })
  t.match(switched(), [{ reqId: /^req-/ }])
})

t.test('PATCH needs the guard', async t => {
  const open = await setUp(t, { plugin: {} })
  for (const path of ['/mirrors', '/mirrors/api']) {
    t.equal((await open.patch(path, { enabled: false })).statusCode, 404, path)
  }
  const { patch, mirror, mirrors } = await setUp(t)
  for (const path of ['/mirrors', '/mirrors/api', '/mirrors/nobody']) {
    t.equal((await patch(path, { enabled: false }, { authorization: '' })).statusCode, 403, path)
    t.equal((await patch(path, 'no JSON', { authorization: '' })).statusCode, 403, path)
  }
  t.equal(mirror().enabled, true)
  t.equal(mirrors.enabled, true)
})

const bodies: Array<[what: string, payload: string | undefined, status: number, headers?: Record<string, string | undefined>]> = [
  ['no body', undefined, 400],
  ['no body and no type', undefined, 400, { 'content-type': undefined }],
  ['no JSON', '{ enabled: false }', 400],
  ['a prototype', '{ "__proto__": { "enabled": false } }', 400],
  ['a constructor', '{ "constructor": { "prototype": { "enabled": false } } }', 400],
  ['deep', '{"backends":'.repeat(5000) + '1' + '}'.repeat(5000), 400],
  ['many keys', JSON.stringify(Object.fromEntries(Array.from({ length: 3000 }, (_, i) => [`key${i}`, i]))), 400],
  ['long', JSON.stringify({ x: 'x'.repeat(512 * 1024) }), 413],
  ['a form', 'enabled=false', 415, { 'content-type': 'application/x-www-form-urlencoded' }]
]

t.test('PATCH refuses what is no patch', async t => {
  const { patch, mirror, mirrors, switched } = await setUp(t)
  for (const path of ['/mirrors', '/mirrors/api']) {
    for (const [what, payload, status, headers] of bodies) {
      const answer = await patch(path, payload, headers)
      t.equal(answer.statusCode, status, `${path}, ${what}: ${answer.body.slice(0, 200)}`)
      t.ok(answer.body.length < 1000)
    }
  }
  t.match(mirror(), { enabled: true, percentage: 100 })
  t.equal(mirrors.enabled, true)
  t.strictSame(switched(), [])
})

t.test('PATCH reads JSON whatever else the app does with bodies', async t => {
  const { app, patch } = await setUp(t, {
    plugin: guarded,
    routes: app => {
      app.removeAllContentTypeParsers()
      app.addContentTypeParser('*', (_request, payload, done) => done(null, payload))
      app.post('/', async request => request.body)
    }
  })
  t.equal((await patch('/mirrors/api', { enabled: false })).statusCode, 200)
  const answer = await app.inject({ method: 'POST', url: '/', payload: 'as it is', headers: { 'content-type': 'application/json' } })
  t.equal(answer.body, 'as it is', 'and the app reads them as before')
})

t.test('all mirrors are switched off at once, and each is as it was when they are on again', async t => {
  const { app, ask, patch, mirror, mirrors, switched } = await setUp(t)
  t.equal(mirrors.enabled, true)
  t.strictSame(mirrors.updateAll({}), { enabled: true })
  t.strictSame((await patch('/mirrors', {})).json(), { enabled: true })
  t.strictSame(switched(), [])

  const answer = await patch('/mirrors', { enabled: false })
  t.equal(answer.statusCode, 200)
  t.strictSame(answer.json(), { enabled: false })
  t.equal(mirrors.enabled, false)
  t.match(switched(), [{ level: 30, reqId: /^req-/, before: { enabled: true }, after: { enabled: false }, msg: 'all mirrors switched' }])
  t.match([mirror().enabled, mirror('other').enabled], [false, false])
  await ask()
  await ask('/other')
  t.match(mirror(), { seen: 1, disabled: 1 })
  t.match(mirror('other'), { seen: 1, disabled: 1 })

  t.match(mirrors.update('api', { enabled: true, percentage: 40 }), { enabled: false, percentage: 40 }, 'its own switch does not overrule')
  t.match(mirrors.update('other', { enabled: true }), { enabled: false })
  t.match(mirrors.update('other', { enabled: false }), { enabled: false })
  t.strictSame(mirrors.updateAll({ enabled: true }), { enabled: true })
  t.match([mirror().enabled, mirror().percentage, mirror('other').enabled], [true, 40, false])
  mirrors.update('api', { percentage: 100 })
  await ask()
  t.match(mirror(), { seen: 2, mirrored: 1 })
  booksClose(t, mirror())

  const refused: Array<[body: unknown, message: string]> = [
    [{ enabled: 0 }, 'all mirrors: enabled must be true or false, got 0'],
    [{ enable: false }, 'all mirrors: enable (false) is not an option, did you mean "enabled"?; allowed: enabled'],
    [{ percentage: 1 }, 'all mirrors: percentage (1) is not an option; allowed: enabled'],
    [[], 'all mirrors: options must be an object with enabled, got []']
  ]
  for (const [body, message] of refused) {
    t.throws(() => mirrors.updateAll(body as SwitchState), new Error(message))
    t.match((await patch('/mirrors', body)).json(), { statusCode: 400, message })
  }
  t.equal(mirrors.enabled, true)
  t.throws(() => { (app.mirrors as { enabled: boolean }).enabled = false }, TypeError)
})

t.test('mirrors of routes that are added while all are off are off, too', async t => {
  const { app } = await setUp(t)
  const other = await startGateway(t, {
    routes: app => {
      app.mirrors.updateAll({ enabled: false })
      app.get('/', { mirror: { id: 'late', backends: ['http://127.0.0.1:1'] } }, async () => 'ok')
    }
  })
  t.equal(other.mirror('late').enabled, false)
  other.app.mirrors.updateAll({ enabled: true })
  t.equal(other.mirror('late').enabled, true)
  t.equal(app.mirrors.enabled, true, 'another app has a switch of its own')
})
