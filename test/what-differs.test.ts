import type { FastifyInstance } from 'fastify'
import { randomBytes } from 'node:crypto'
import { Readable } from 'node:stream'
import t from 'tap'
import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from 'node:zlib'
import { booksClose } from './helpers/books'
import { modes } from './helpers/gateway'
import { startTwins } from './helpers/twins'
import type { Ask, Reply } from './helpers/twins'
import type { BodyDifference, MirrorOptions, MismatchEvent, MismatchRequest, NotComparedReason } from '../types/index'

const JSON_TYPE = { 'content-type': 'application/json' }
const TEXT = { 'content-type': 'text/plain' }

function json (value: unknown, headers: object = {}): Reply {
  return { headers: { ...JSON_TYPE, ...headers }, body: typeof value === 'string' ? value : JSON.stringify(value) }
}

function text (body: string | Buffer, headers: object = {}): Reply {
  return { headers: { ...TEXT, ...headers }, body }
}

function coded (coding: string, body: Buffer): Reply {
  return { headers: { ...JSON_TYPE, 'content-encoding': coding }, body }
}

/** Of a mismatch: the parts of it that are to be so. */
type Expected = 'matched' | NotComparedReason | Partial<MismatchEvent>

interface Case {
  name: string
  primary: Reply
  shadow: Reply
  request?: Ask
  expected: Expected
}

const A = '{"a":1}'
const B = '{"a":2}'
const LONG = JSON.stringify(Array.from({ length: 100 }, (_, i) => ({ i, name: `name ${i * 7919 % 101}` })))
const items = [{ sku: 'a', n: 1 }, { sku: 'b', n: 2 }]
const changed: BodyDifference = { kind: 'json', differences: [{ pointer: '/a', change: 'changed', primary: '1', shadow: '2' }], truncated: false }

const differences: Case[] = [
  { name: 'nothing', primary: json(A), shadow: json(A), expected: 'matched' },
  { name: 'the status', primary: { body: 'ok' }, shadow: { status: 500, body: 'ok' }, expected: { primaryStatus: 200, shadowStatus: 500, headers: [], body: null } },
  { name: 'a header', primary: text('x', { 'x-a': '1' }), shadow: text('x', { 'X-A': '2' }), expected: { headers: [{ name: 'x-a', primary: ['1'], shadow: ['2'] }], body: null } },
  { name: 'a header that one side alone has', primary: text('x'), shadow: text('x', { 'x-a': '2' }), expected: { headers: [{ name: 'x-a', primary: [], shadow: ['2'] }], body: null } },
  {
    name: 'a header beyond its first value',
    primary: { headers: ['Vary', 'a', 'vary', 'b'] },
    shadow: { headers: ['vary', 'a', 'vary', 'c'] },
    expected: { headers: [{ name: 'vary', primary: ['a', 'b'], shadow: ['a', 'c'] }], body: null }
  },
  {
    name: 'the second of two cookies, which are secrets',
    primary: { headers: ['set-cookie', 'a=1', 'set-cookie', 'b=1'] },
    shadow: { headers: ['set-cookie', 'a=1', 'set-cookie', 'b=2'] },
    expected: { headers: [{ name: 'set-cookie/b/value', primary: ['[redacted]'], shadow: ['[redacted]'] }], body: null }
  },
  { name: 'the same cookies', primary: { headers: ['set-cookie', 'a=1', 'set-cookie', 'b=1'] }, shadow: { headers: ['Set-Cookie', 'a=1', 'Set-Cookie', 'b=1'] }, expected: 'matched' },
  {
    name: 'headers that say nothing of the answer',
    primary: text('x', { date: 'Thu, 01 Jan 1970 00:00:00 GMT', age: 1, 'x-request-id': 'a', 'x-mine': 'a' }),
    shadow: text('x', { age: 2, 'x-request-id': 'b', 'keep-alive': 'timeout=7', 'x-mine': 'b' }),
    expected: 'matched'
  },
  { name: 'a JSON value', primary: json(A), shadow: json(B), expected: { headers: [], body: changed } },
  {
    name: 'JSON fields added and removed, deep',
    primary: json({ items: [{ id: 1, name: 'x' }] }),
    shadow: json({ items: [{ id: 1, price: 2 }] }),
    expected: {
      body: {
        kind: 'json',
        differences: [
          { pointer: '/items/0/name', change: 'removed', primary: '"x"' },
          { pointer: '/items/0/price', change: 'added', shadow: '2' }
        ],
        truncated: false
      }
    }
  },
  { name: 'the order of keys, white space and the way numbers are written', primary: json('{"a":1,"b":[1.0]}'), shadow: json('{ "b": [ 1 ],\n"a": 1e0 }'), expected: 'matched' },
  {
    name: 'an integer past what a double holds',
    primary: json('{"a":9007199254740993}'),
    shadow: json('{"a":9007199254740992}'),
    expected: { body: { kind: 'json', differences: [{ pointer: '/a', change: 'changed', primary: '9007199254740993', shadow: '9007199254740992' }], truncated: false } }
  },
  { name: 'an ignored field that also changes the length', primary: json('{"items":[{"at":"short"}]}'), shadow: json('{"items":[{"at":"a much longer one"}]}'), expected: 'matched' },
  { name: 'an ignored field that only one side has', primary: json('{"items":[{}]}'), shadow: json('{"items":[{"at":1}]}'), expected: 'matched' },
  { name: 'a dotted ignored field, whole', primary: json('{"user":{"seen":{"a":1}}}'), shadow: json('{"user":{"seen":[]}}'), expected: 'matched' },
  {
    name: '__proto__, which is a key like any other',
    primary: json('{"__proto__":{"a":1}}'),
    shadow: json('{"__proto__":{"a":2}}'),
    expected: { body: { kind: 'json', differences: [{ pointer: '/__proto__/a', change: 'changed', primary: '1', shadow: '2' }], truncated: false } }
  },
  { name: 'text', primary: text('hello world'), shadow: text('hello there!'), expected: { body: { kind: 'text', primaryLength: 11, shadowLength: 12, offset: 6 } } },
  { name: 'bytes', primary: text(Buffer.from([1, 2, 255])), shadow: text(Buffer.from([1, 2, 254])), expected: { body: { kind: 'binary', primaryLength: 3, shadowLength: 3, offset: 2 } } },
  { name: 'a body that one side alone has', primary: text('hello'), shadow: text(''), expected: { body: { kind: 'text', primaryLength: 5, shadowLength: 0, offset: 0 } } },
  { name: 'JSON that is none', primary: json('{"a":1}'), shadow: json('{"a":1'), expected: { body: { kind: 'text', primaryLength: 7, shadowLength: 6, offset: 6 } } },
  ...codings(),
  { name: 'unknown codings alike, of which the bytes say nothing', primary: coded('rot13', Buffer.from('a')), shadow: coded('rot13', Buffer.from('b')), expected: 'encoding' },
  { name: 'nothing, of unknown codings', primary: coded('rot13', Buffer.from('a')), shadow: coded('rot13', Buffer.from('a')), expected: 'matched' },
  { name: 'what two compressors make of one text', primary: coded('gzip', gzipSync(LONG, { level: 1 })), shadow: coded('gzip', gzipSync(LONG, { level: 9 })), expected: 'matched' },
  { name: 'what they make of one too long to be decoded', primary: coded('gzip', gzipSync(LONG.repeat(20), { level: 1 })), shadow: coded('gzip', gzipSync(LONG.repeat(20), { level: 9 })), expected: 'encoding' },
  { name: 'coded bytes too long to be captured', primary: coded('gzip', randomBytes(9000)), shadow: coded('gzip', gzipSync(A)), expected: 'encoding' },
  {
    name: 'one item more in an array, and another one changed',
    primary: json(items),
    shadow: json([{ sku: 'c', n: 9 }, items[0], { ...items[1], n: 5 }]),
    expected: {
      body: {
        kind: 'json',
        differences: [
          { pointer: '/0', change: 'added', shadow: '{"sku":"c","n":9}' },
          { pointer: '/1/n', change: 'changed', primary: '2', shadow: '5' }
        ],
        truncated: false
      }
    }
  },
  {
    name: 'the order of an array',
    primary: json({ roles: ['a', 'b'] }),
    shadow: json({ roles: ['b', 'a'] }),
    expected: { body: { kind: 'json', differences: [{ pointer: '/roles', change: 'order', primary: '["a","b"]', shadow: '["b","a"]' }], truncated: false } }
  },
  {
    name: 'nothing but what is ignored in items that stand elsewhere',
    primary: json({ items: [{ at: 1, x: 1 }, { at: 2, x: 2 }] }),
    shadow: json({ items: [{ at: 3, x: 2 }, { at: 4, x: 1 }] }),
    expected: { body: { kind: 'json', differences: [{ pointer: '/items', change: 'order', primary: '[{"at":1,"x":1},{"at":2,"x":2}]', shadow: '[{"at":3,"x":2},{"at":4,"x":1}]' }], truncated: false } }
  },
  { name: 'unknown codings that are not the same', primary: coded('rot13', Buffer.from('a')), shadow: { headers: { ...JSON_TYPE, 'content-encoding': 'rot14' }, body: 'b' }, expected: { headers: [{ name: 'content-encoding', primary: ['rot13'], shadow: ['rot14'] }], body: { kind: 'hash', reason: 'encoding' } } },
  { name: 'broken gzip alike, which nobody has to look into', primary: coded('gzip', Buffer.from('no gzip')), shadow: coded('gzip', Buffer.from('no gzip')), expected: 'matched' },
  { name: 'broken gzip', primary: coded('gzip', Buffer.from('no gzip')), shadow: coded('gzip', Buffer.from('no zip')), expected: { body: { kind: 'hash', reason: 'not decodable' } } },
  { name: 'a bomb', primary: coded('gzip', gzipSync(A)), shadow: coded('gzip', gzipSync(Buffer.alloc(6 * 1024 * 1024))), expected: { body: { kind: 'hash', reason: 'too long' } } },
  { name: 'a bomb in a bomb', primary: coded('gzip, br', brotliCompressSync(gzipSync(A))), shadow: coded('gzip, br', brotliCompressSync(gzipSync(Buffer.alloc(16 * 1024 * 1024)))), expected: { body: { kind: 'hash', reason: 'too long' } } },
  { name: 'bodies too long to capture', primary: text('a'.repeat(9000)), shadow: text('b'.repeat(9000)), expected: { body: { kind: 'hash', reason: 'too long' } } },
  { name: 'bodies far too long to capture', primary: text('a'.repeat(1e6)), shadow: text('b'.repeat(1e6)), expected: { body: { kind: 'hash', reason: 'too long' } } },
  { name: 'one body too long to capture', primary: text('a'.repeat(8192)), shadow: text('a'.repeat(8193)), expected: { body: { kind: 'hash', reason: 'too long' } } },
  { name: 'nothing, of bodies too long to capture', primary: text('a'.repeat(9000)), shadow: text('a'.repeat(9000)), expected: 'matched' },
  { name: 'bodies just short enough', primary: text('a'.repeat(8192)), shadow: text('a'.repeat(8191) + 'b'), expected: { body: { kind: 'text', primaryLength: 8192, shadowLength: 8192, offset: 8191 } } },
  { name: 'nothing, to HEAD', primary: json(A), shadow: json(B, { 'content-length': 7 }), request: { method: 'HEAD' }, expected: 'matched' },
  { name: 'a header, to HEAD', primary: json(A), shadow: text(A), request: { method: 'HEAD' }, expected: { headers: [{ name: 'content-type', primary: ['application/json'], shadow: ['text/plain'] }], body: null } },
  { name: 'nothing, of 204', primary: { status: 204 }, shadow: { status: 204 }, expected: 'matched' },
  { name: 'a header of 304', primary: { status: 304, headers: { etag: '"1"' } }, shadow: { status: 304, headers: { etag: '"2"' } }, expected: { headers: [{ name: 'etag', primary: ['"1"'], shadow: ['"2"'] }], body: null } },
  { name: 'both down alike', primary: { status: 503, body: 'no' }, shadow: { status: 503, body: 'no' }, request: { method: 'POST', body: 'x' }, expected: 'matched' }
]

function codings (): Case[] {
  const same = '{ "a": 1 }'
  const encoders: Array<[coding: string, encode: (body: string) => Buffer]> = [
    ['gzip', gzipSync], ['x-gzip', gzipSync], ['deflate', deflateSync], ['Deflate', deflateRawSync], ['br', brotliCompressSync],
    ['gzip, br', body => brotliCompressSync(gzipSync(body))]
  ]
  const header = (primary: string[], shadow: string[]) => ({ headers: [{ name: 'content-encoding', primary, shadow }], body: null })
  return encoders.flatMap(([coding, encode]): Case[] => [
    { name: `${coding} on both sides, alike`, primary: coded(coding, encode(A)), shadow: coded(coding, encode(same)), expected: 'matched' },
    { name: `${coding} on both sides`, primary: coded(coding, encode(A)), shadow: coded(coding, encode(B)), expected: { headers: [], body: changed } },
    { name: `${coding} on the shadow's side, alike`, primary: json(A), shadow: coded(coding, encode(A)), expected: header([], [coding]) },
    { name: `${coding} on the primary's side, alike`, primary: coded(coding, encode(A)), shadow: json(A), expected: header([coding], []) },
    { name: `${coding} on one side`, primary: json(A), shadow: coded(coding, encode(B)), expected: { ...header([], [coding]), body: changed } }
  ])
}

for (const { mode, plugin } of modes) {
  t.test(`${mode}: what differs`, async t => {
    const twins = await startTwins(t, {
      plugin,
      compare: { maxBodyCapture: 8192, ignoreHeaders: ['X-Mine'], ignoreJsonFields: ['/items/*/at', 'user.seen'] }
    })
    for (const { name, primary, shadow, request, expected } of differences) {
      await t.test(name, async t => {
        const { fate, mismatch } = await twins.ask(primary, shadow, request)
        if (typeof expected === 'string') {
          t.equal(fate, expected)
          t.equal(mismatch, null, 'and is not told of')
        } else {
          t.equal(fate, 'mismatched')
          for (const [key, value] of Object.entries(expected)) t.strictSame(mismatch?.[key as keyof typeof mismatch], value, key)
        }
      })
    }
    booksClose(t, twins.gateway.mirror())
  })
}

for (const { mode, plugin } of modes) {
  t.test(`${mode}: bodies for which there is no memory`, async t => {
    // Of two bodies like these the budget holds one; behind a thread it is the half of its budget that does.
    const maxBufferedBytes = mode === 'thread' ? 128 * 1024 : 64 * 1024
    const twins = await startTwins(t, { plugin: { ...plugin, maxBufferedBytes } })
    const long = `"${'x'.repeat(40 * 1024)}"`

    t.match(await twins.ask(json(`[${long}]`), json(`[ ${long}]`)), { fate: 'memory', mismatch: null })
    t.match(await twins.ask(json(`[${long}]`), json(`[${long}]`)), { fate: 'matched' }, 'alike by hash')
    const { fate, mismatch } = await twins.ask(json(`[${long}]`), { ...json(`[ ${long}]`), status: 500 })
    t.equal(fate, 'mismatched')
    t.match(mismatch, { primaryStatus: 200, shadowStatus: 500, body: { kind: 'hash', reason: 'memory' } })

    const bomb = coded('br', brotliCompressSync(Buffer.alloc(100 * 1024)))
    t.match(await twins.ask(json(A), bomb), { mismatch: { headers: [{ name: 'content-encoding' }], body: { kind: 'hash', reason: 'memory' } } })
    t.strictSame(twins.gateway.backend().mismatches, { status: 1, headers: 1, body: 0 }, 'whether the bodies differ is not known')

    for (let i = 0; i < 10; i++) await twins.ask(json(`[${long}]`), json(`[ ${long}]`))
    t.match(await twins.ask(json(A), json(B)), { mismatch: { body: changed } }, 'everything was given back')
    booksClose(t, twins.gateway.mirror())
  })

  t.test(`${mode}: without the diff, coded bodies are compared by what they decode to`, async t => {
    const twins = await startTwins(t, { plugin, compare: { detailedDiff: false } })
    t.match(await twins.ask(json(A), coded('gzip', gzipSync(A))), { fate: 'matched', mismatch: null })
    t.match(await twins.ask(json(A), coded('rot13', gzipSync(A))), { fate: 'encoding', mismatch: null })
    t.match(await twins.ask({ ...json(A), status: 201 }, coded('rot13', gzipSync(A))), {
      mismatch: { primaryStatus: 201, shadowStatus: 200, headers: [], body: { kind: 'hash', reason: 'encoding' } }
    })
    t.match(await twins.ask(json(A), json(B)), { mismatch: { body: { kind: 'hash', reason: 'off' } } })
    t.match(await twins.ask(json(A), json(A, { 'x-a': 1 })), { fate: 'matched' }, 'headers are not')
    t.strictSame(twins.gateway.backend().mismatches, { status: 1, headers: 0, body: 1 })
    booksClose(t, twins.gateway.mirror())
  })
}

for (const { mode, plugin } of modes) {
  t.test(`${mode}: the example is the request as the client sent it`, async t => {
    const routes = (app: FastifyInstance, mirror: MirrorOptions) => {
      app.get('/plain', { mirror }, async () => 'plain')
      app.post('/parsed', { mirror }, async () => 'plain')
      app.register(async streaming => {
        streaming.removeAllContentTypeParsers()
        streaming.addContentTypeParser('*', (_, payload, done) => done(null, payload))
        streaming.post('/streamed', { mirror }, async request => {
          for await (const chunk of request.body as Readable) if (chunk.length === 0) throw new Error('empty')
          return 'plain'
        })
      })
    }
    const twins = await startTwins(t, {
      plugin,
      base: '/base',
      proxy: { prefix: '/api', rewritePrefix: '/v2' },
      routes,
      server: { rewriteUrl: request => (request.url as string).replace('/old', '/api') }
    })
    const { shadow } = twins
    const different: Reply = { status: 500 }
    async function example (request: Ask): Promise<MismatchRequest> {
      const { mismatch } = await twins.ask(text('ok'), different, request)
      return (mismatch as MismatchEvent).request
    }
    const type = (value: string) => ({ 'content-type': value })

    await t.test('its paths: the client\'s, and the one that the copy had behind the backend\'s URL', async t => {
      const cases: Array<[path: string, sentPath: string]> = [
        ['/api/a%20b?c=d&c=%2F', '/v2/a%20b?c=d&c=%2F'],
        ['/old/a?b=c', '/v2/a?b=c'],
        ['/plain?', '/plain?'],
        [`/api/${'x'.repeat(5000)}`, `/v2/${'x'.repeat(4092)}`]
      ]
      for (const [path, sentPath] of cases) {
        const request = await example({ path })
        t.match(request, { method: 'GET', path: path.slice(0, 4096), sentPath, body: null, truncated: path.length > 4096 })
        t.equal(shadow.requests.at(-1)?.url.slice(0, sentPath.length + 5), `/base${sentPath}`)
      }
    })

    await t.test('its headers, in order, with all values', async t => {
      const { headers } = await example({ path: '/plain', headers: ['X-A', '1', 'Accept', '*/*', 'x-a', '2', 'Cookie', 'a=b'] })
      t.strictSame(headers.slice(-8), ['X-A', '1', 'Accept', '*/*', 'x-a', '2', 'Cookie', '[redacted]'])
    })

    await t.test('its body, up to 2 KiB of it, where it is text', async t => {
      const cases: Array<[what: string, body: string | Buffer, headers: Record<string, string>, shown: string | null, truncated?: boolean]> = [
        ['text', 'hello', type('text/plain'), 'hello'],
        ['JSON, as it was written', '{ "a": [1, 2.0] }', type('application/json'), '{ "a": [1, 2.0] }'],
        ['2 KiB', 'x'.repeat(2048), type('text/plain'), 'x'.repeat(2048)],
        ['a byte more', 'x'.repeat(2049), type('text/plain'), 'x'.repeat(2048), true],
        ['much more, in many pieces', 'x'.repeat(300_000), type('text/plain'), 'x'.repeat(2048), true],
        ['a character on the edge', 'x'.repeat(2047) + 'é', type('text/plain'), 'x'.repeat(2047), true],
        ['no text', Buffer.from([0, 1, 2, 255]), type('text/plain'), null],
        ['coded', gzipSync('hello'), { ...type('text/plain'), 'content-encoding': 'gzip' }, null],
        ['a form', 'a=b&token=c&d=e', type('application/x-www-form-urlencoded'), 'a=b&token=[redacted]&d=e']
      ]
      const longest: Array<[string, string, Record<string, string>, string, boolean?]> = [
        ['JSON', '{ "a": [1, 2.0] }', type('application/json'), '{ "a": [1, 2.0] }'],
        ['long JSON', JSON.stringify({ a: 'x'.repeat(3000) }), type('application/json'), '{"a":', true]
      ]
      for (const path of ['/api/b', '/streamed']) {
        for (const [what, body, headers, shown, truncated = false] of cases) {
          t.match(await example({ method: 'POST', path, body, headers }), { method: 'POST', path, body: shown, truncated }, `${path}: ${what}`)
          t.strictSame(shadow.requests.at(-1)?.body, Buffer.from(body), 'which the copy has whole')
        }
      }
      for (const [what, body, headers, shown, truncated = false] of longest) {
        t.strictSame((await example({ method: 'POST', path: '/parsed', body, headers })).body, shown, `/parsed: ${what}`)
        t.equal(twins.events.at(-1)?.request.truncated, truncated)
        t.strictSame(shadow.requests.at(-1)?.body, Buffer.from(body), 'which the copy has whole')
      }
      const pieces = Readable.from(['{"a":', '1,', '"b":2', '}'].map(piece => Buffer.from(piece)))
      t.equal((await example({ method: 'POST', path: '/streamed', body: pieces, headers: type('application/json') })).body, '{"a":1,"b":2}')
    })
    booksClose(t, twins.gateway.mirror())
  })
}
