import { randomUUID } from 'node:crypto'
import t from 'tap'
import { request } from 'undici'
import type { MismatchList } from '../types/index'
import { startTcp } from './helpers/backend'
import { modes, startProxy } from './helpers/gateway'
import { PATIENCE, startTwins } from './helpers/twins'
import type { Ask, Reply } from './helpers/twins'
import { until } from './helpers/until'

/** Values that must not come out anywhere, and what may. */
const secret = (): string => `CANARY${randomUUID().replaceAll('-', '')}`
const SHOWN = 'in plain sight'

const USUAL = [
  'authorization', 'cookie', 'set-cookie', 'proxy-authorization', 'x-api-key', 'access_token', 'token', 'password', 'secret', 'api_key',
  'code', 'signature'
]
const OWN = ['X-Session', 'pin', 'motherName']
const NAMES = [...USUAL, ...OWN, 'Access-Token', 'PASSWORD', 'apiKey', 'mother_name', 'x-session']

/** A document that has secrets wherever one can be. */
function document () {
  return {
    note: SHOWN,
    ...Object.fromEntries(NAMES.map(name => [name, secret()])),
    user: { name: SHOWN, auth: { token: { value: secret(), list: [secret()] } } },
    list: [{ password: secret() }, [[{ Code: secret() }]]],
    'user.password': secret(),
    'user[pin]': secret(),
    url: `https://example.com/?a=b&access_token=${secret()}`,
    encoded: `https://example.com/?next=${encodeURIComponent(`/cb?code=${secret()}`)}`,
    [`https://user:${secret()}@example.com/key`]: 1,
    nested: { [`https://user:${secret()}@example.com/key`]: SHOWN },
    account: `https://user:${secret()}@example.com/a, see https://${secret()}@example.com`,
    proxied: `/fetch?url=${encodeURIComponent(`ftp://user:${secret()}@example.com`)}`,
    json: JSON.stringify({ token: secret() }),
    'json in text': `see ${JSON.stringify({ a: [{ token: secret() }] })}`,
    __proto__: null,
    constructor: { secret: secret() }
  }
}

function form (): string {
  return [`note=${encodeURIComponent(SHOWN)}`, ...NAMES.map(name => `${encodeURIComponent(name)}=${secret()}`),
    `user[password]=${secret()}`, `a[token][]=${secret()}`, `%74oken=${secret()}`, `next=${encodeURIComponent(`/x?pin=${secret()}`)}`,
    `payload=${encodeURIComponent(JSON.stringify({ a: 1, token: secret() }))}`,
    new URLSearchParams({ spaced: JSON.stringify({ a: 1, token: secret() }, null, 2) }),
    `twice=${encodeURIComponent(JSON.stringify(JSON.stringify({ a: 1, token: secret() })))}`,
    `names=${encodeURIComponent(`{"API Key":"${secret()}"}`)}`, `escaped=${encodeURIComponent(`{"p\\u0069n":"${secret()}"}`)}`].join('&')
}

/** Headers of either direction. */
function headers (...except: string[]): string[] {
  const list = [['x-note', SHOWN], ['location', `https://example.com/cb?state=1&code=${secret()}`], ['x-nested', `a; secret="${secret()}"`],
    ['set-cookie', `a=${secret()}`], ['set-cookie', `b=${secret()}`], ['refresh', `5; url=https://user:${secret()}@example.com/`],
    ['x-context', JSON.stringify({ a: 'b&c', pin: secret() })], ['link', `</a?signature=${secret()}>; rel=next`],
    ...NAMES.filter(name => !except.includes(name)).map(name => [name, secret()])]
  return list.flat()
}

function reply (): Reply {
  return { headers: [...headers(), 'content-type', 'application/json'], body: JSON.stringify(document()) }
}

const JSON_TYPE = ['content-type', 'application/json']
/** Whether anything is shown of that in which they are. */
const requests: Array<[what: string, shown: boolean, request: () => Ask]> = [
  ['headers', true, () => ({ headers: [...headers('set-cookie'), 'referer', `https://example.com/?token=${secret()}`] })],
  ['a query', true, () => ({ path: `/a?${form()}` })],
  ['a path', false, () => ({ path: `/a;token=${secret()}/b/pin=${secret()}?x=1` })],
  ['a form', true, () => ({ method: 'POST', headers: ['content-type', 'application/x-www-form-urlencoded; charset=utf-8'], body: form() })],
  ['a query with JSON', true, () => ({ path: `/a?note=${encodeURIComponent(SHOWN)}&filter={"a":"x&y","pin":"${secret()}"}` })],
  ['a query with JSON as a URL has it', true, () => ({
    path: `/a?note=${encodeURIComponent(SHOWN)}&filter={%22a%22:%22x&y%22,%22pin%22:%22${secret()}%22}`
  })],
  ['JSON in a path', false, () => ({ path: `/{%22a%22:%22x/y%22,%22pin%22:%22${secret()}%22}` })],
  ['JSON that is said to be a form', true, () => ({
    method: 'POST', headers: ['content-type', 'application/x-www-form-urlencoded'], body: JSON.stringify({ ...document(), a: 'x&y' })
  })],
  ['broken JSON that is said to be a form', false, () => ({
    method: 'POST', headers: ['content-type', 'application/x-www-form-urlencoded'], body: `{"a":"x&y","pin":"${secret()}"`
  })],
  ['JSON', true, () => ({ method: 'POST', headers: JSON_TYPE, body: JSON.stringify(document()) })],
  ['a URL in a path', true, () => ({ path: `/${encodeURIComponent(SHOWN)}/https://user:${secret()}@example.com/a?b=https://${secret()}:@example.com` })],
  ['text with a URL', false, () => ({ method: 'POST', headers: ['content-type', 'text/plain'], body: `go to https://user:${secret()}@example.com/` })],
  ['JSON without a type', true, () => ({ method: 'POST', body: JSON.stringify(document()) })],
  ['JSON that is cut', true, () => ({ method: 'POST', headers: JSON_TYPE, body: JSON.stringify({ ...document(), a: secret().repeat(1000) }) })],
  ['JSON whose secret is cut', true, () => ({ method: 'POST', headers: JSON_TYPE, body: `{"note":"${SHOWN}","x":"${'x'.repeat(1980)}","pin":"${secret().repeat(10)}"}` })],
  ['broken JSON', false, () => ({ method: 'POST', headers: JSON_TYPE, body: `{"pin":"${secret()}"` })],
  ['text', false, () => ({ method: 'POST', headers: ['content-type', 'text/plain'], body: `my name is ${secret()}` })],
  ['parts', false, () => ({ method: 'POST', headers: ['content-type', 'multipart/form-data; boundary=x'], body: `--x\r\ncontent-disposition: form-data; name="pin"\r\n\r\n${secret()}\r\n--x--` })]
]

for (const { mode, plugin } of modes) {
  t.test(`${mode}: no secret comes out of a mismatch`, async t => {
    const lines: string[] = []
    const twins = await startTwins(t, {
      plugin: { ...plugin, admin: { onRequest: async () => {} } },
      server: { logger: { level: 'trace', stream: { write: (line: string) => { lines.push(line) } } } },
      compare: { logMismatches: true, redact: OWN }
    })
    const { gateway, events } = twins
    const read = async (path: string): Promise<string> => (await request(gateway.url + path)).body.text()

    for (const [what, shown, make] of requests) {
      const { mismatch } = await twins.ask(reply(), reply(), make())
      t.match(mismatch, { headers: Array, body: { kind: 'json' } }, `${what}: a mismatch`)
      t.equal(decodeURIComponent(JSON.stringify(mismatch?.request)).includes(SHOWN), shown, 'of which the rest is shown')
    }
    await twins.ask({ status: 200, body: secret() }, { status: 500, body: secret() })
    await twins.ask({ body: JSON.stringify(document()), headers: JSON_TYPE }, { body: '{}', headers: JSON_TYPE })
    await twins.ask({ body: '[]', headers: JSON_TYPE }, { body: JSON.stringify([document()]), headers: JSON_TYPE })

    const { places } = JSON.parse(await read('/mirrors/twins/mismatches')) as MismatchList
    t.ok(places.length > 0)
    const out: Record<string, string> = {
      // Fastify and reply-from log paths of their own.
      'the log': lines.filter(line => line.includes('mirror')).join(''),
      events: JSON.stringify(events),
      'fastify.mirrors': JSON.stringify(gateway.app.mirrors.mismatches('twins')),
      mismatches: await read('/mirrors/twins/mismatches'),
      numbers: await read('/mirrors'),
      verdict: await read('/mirrors/twins/verdict')
    }
    for (const { id } of places) {
      for (const side of ['shadow', 'primary']) out[`curl ${side} ${id}`] = await read(`/mirrors/twins/mismatches/${id}/curl?side=${side}`)
    }
    for (const [where, what] of Object.entries(out)) {
      t.ok(what.length > 50, `${where} says something`)
      t.equal(/.{0,100}CANARY.{0,20}/.exec(what)?.[0], undefined, where)
    }
    t.match(out['the log'], /"msg":"mirror mismatch"/)
    t.match(out.mismatches, SHOWN)
  })

  t.test(`${mode}: no secret comes out of an answer that cannot be read`, async t => {
    const shadow = await startTcp(t, socket => {
      socket.once('data', () => socket.end(`HTTP/1.1 200 OK\r\nset-cookie: a=${secret()}\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\nno length ${secret()}\r\n`))
    })
    const primary = await startTcp(t, socket => {
      socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok'))
    })
    const gateway = await startProxy(t, primary.url, { backends: [shadow.url], timeout: PATIENCE, compare: { enabled: true } }, plugin)
    const { body } = await request(gateway.url, { headers: { authorization: secret() } })
    await body.dump()
    await until('the copy has failed', () => gateway.backend().failure.body === 1, PATIENCE)
    t.match(gateway.log.at(-1), { msg: 'the copy failed', reason: 'body', err: { message: /Invalid character/ } })
    t.equal(/.{0,100}CANARY.{0,20}/.exec(JSON.stringify(gateway.log))?.[0], undefined)
  })
}

t.test('text that mentions no secret is shown, unless the user has secrets of their own', async t => {
  const send = (body: string): Ask => ({ method: 'POST', headers: { 'content-type': 'text/plain' }, body })
  const plain = await startTwins(t, {})
  t.match(await plain.ask({ body: '1' }, { body: '2' }, send('hello')), { mismatch: { request: { body: 'hello' } } })
  t.match(await plain.ask({ body: '1' }, { body: '2' }, send('the code is 1234')), { mismatch: { request: { body: null } } })
  const own = await startTwins(t, { compare: { redact: ['pin'] } })
  t.match(await own.ask({ body: '1' }, { body: '2' }, send('hello')), { mismatch: { request: { body: null } } })
})
