import httpProxy from '@fastify/http-proxy'
import t from 'tap'
import { booksClose } from './helpers/books'
import { startBackend } from './helpers/backend'
import { keepAlive, modes, startGateway } from './helpers/gateway'
import { PATIENCE, answer } from './helpers/twins'
import type { Reply } from './helpers/twins'
import { until } from './helpers/until'
import type { CompareRule, MismatchEvent } from '../types/index'

const ORIGINS = { 'https://api.example.com': 'http://v2.internal:8080' }

function json (value: unknown, headers: object = {}): Reply {
  return { headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(value) }
}

function text (body: string, headers: object = {}): Reply {
  return { headers: { 'content-type': 'text/plain', ...headers }, body }
}

function cookies (...lines: string[]): Reply {
  return { headers: lines.flatMap(line => ['set-cookie', line]), body: 'ok' }
}

interface Case {
  name: string
  rules?: CompareRule[]
  primary: Reply
  shadow: Reply
  path?: string
  /** What differs: header names, `body`; or where its text begins to differ. */
  differs: Array<string | number>
}

const SESSION = 'header:set-cookie/session'

const cases: Case[] = [
  { name: 'a value', primary: json({ id: 1, a: 1 }), shadow: json({ id: 2, a: 1 }), rules: [{ at: '/id', type: true }], differs: [] },
  { name: 'another value', primary: json({ id: 1, a: 1 }), shadow: json({ id: 2, a: 2 }), rules: [{ at: '/id', type: true }], differs: ['body'] },
  { name: 'a header', primary: text('x', { etag: '"a"' }), shadow: text('x', { etag: 'W/"b"' }), rules: [{ at: 'header:ETag', format: 'opaque' }], differs: [] },
  { name: 'a header that is missing', primary: text('x', { etag: '"a"' }), shadow: text('x'), rules: [{ at: 'header:etag', format: 'opaque' }], differs: ['etag'] },
  { name: 'headers by a pattern', primary: text('x', { 'x-rate-left': '5', 'x-rate-max': 9 }), shadow: text('x', { 'x-rate-left': '4', 'x-rate-max': 8 }), rules: [{ at: 'header:x-rate-*', tolerance: 1 }], differs: [] },
  { name: 'headers by a pattern, too far', primary: text('x', { 'x-rate-left': '5' }), shadow: text('x', { 'x-rate-left': '3' }), rules: [{ at: 'header:x-rate-*', tolerance: 1 }], differs: ['x-rate-left'] },
  { name: 'times in headers', primary: text('x', { 'last-modified': 'Sun, 06 Nov 1994 08:49:37 GMT' }), shadow: text('x', { 'last-modified': 'Sun, 06 Nov 1994 08:49:38 GMT' }), rules: [{ at: 'header:last-modified', tolerance: '1s' }], differs: [] },
  { name: 'a list in another order', primary: text('x', { vary: 'a, b' }), shadow: text('x', { vary: 'b,a' }), rules: [{ at: 'header:vary', unordered: true }], differs: [] },
  { name: 'another list', primary: text('x', { vary: 'a, b' }), shadow: text('x', { vary: 'b, b' }), rules: [{ at: 'header:vary', unordered: true }], differs: ['vary'] },
  { name: 'headers that may be added', primary: text('x', { 'x-b': '1' }), shadow: text('x', { 'x-a': '1' }), rules: [{ at: 'header:x-*', additions: true }], differs: ['x-b'] },
  { name: 'headers that may be missing', primary: text('x', { 'x-a': '1', 'x-b': '1' }), shadow: text('x', { 'x-b': '2', 'x-c': '1' }), rules: [{ at: 'header:x-*', optional: true }], differs: ['x-b'] },
  { name: 'headers that must be there', primary: text('x', { 'x-a': '1', 'x-b': '1' }), shadow: text('x', { 'x-b': '2' }), rules: [{ at: 'header:x-*', optional: true }, { at: 'header:x-*', presence: true }], differs: ['x-a'] },
  { name: 'ignored headers, of which one is not', primary: text('x', { 'x-mine': '1', 'x-skip': '1' }), shadow: text('x', { 'x-mine': '2', 'x-skip': '2' }), rules: [{ at: 'header:x-skip', ignore: true }, { at: 'header:x-mine', format: 'uuid' }], differs: ['x-mine'] },
  { name: 'an ignored header that another rule ignores, too', primary: text('x', { 'x-mine': '1' }), shadow: text('x', { 'x-mine': '2' }), rules: [{ at: 'header:x-*', ignore: true }], differs: [] },

  { name: 'a cookie\'s value', primary: cookies('session=abc; Path=/; HttpOnly'), shadow: cookies('session=def; HttpOnly; Path=/'), rules: [{ at: `${SESSION}/value`, format: 'opaque' }], differs: [] },
  { name: 'a cookie\'s attribute', primary: cookies('session=abc; Path=/; HttpOnly'), shadow: cookies('session=def; Path=/a'), rules: [{ at: `${SESSION}/value`, format: 'opaque' }], differs: ['set-cookie/session/path', 'set-cookie/session/httponly'] },
  { name: 'a cookie\'s time', primary: cookies('session=a; Expires=Sun, 06 Nov 1994 08:49:37 GMT; max-age=60'), shadow: cookies('session=a; Expires=Sun, 06-Nov-1994 08:49:38 GMT; max-age=58'), rules: [{ at: `${SESSION}/expires`, tolerance: '1s' }, { at: `${SESSION}/max-age`, tolerance: 2 }], differs: [] },
  {
    name: 'a cookie with another attribute, whose value counts',
    primary: cookies('session=abc'),
    shadow: cookies('session=def; Secure'),
    rules: [{ at: SESSION, optional: true }, { at: `${SESSION}/secure`, optional: true }],
    differs: ['set-cookie/session/value']
  },
  { name: 'a cookie that is missing', primary: cookies('session=abc', 'a=1'), shadow: cookies('a=1'), rules: [{ at: `${SESSION}/value`, format: 'opaque' }], differs: ['set-cookie/session'] },
  { name: 'a cookie of which only the value counts', primary: cookies('session=abc; Secure'), shadow: cookies('a=1'), rules: [{ at: SESSION, ignore: true }, { at: `${SESSION}/value`, presence: true }], differs: ['set-cookie/session', 'set-cookie/a'] },
  { name: 'a cookie that is ignored', primary: cookies('session=abc; Secure', 'a=1'), shadow: cookies('session=def', 'a=2'), rules: [{ at: SESSION, ignore: true }], differs: ['set-cookie/a/value'] },
  { name: 'a cookie that is there', primary: cookies('session=abc; Secure', 'x=1'), shadow: cookies('session=def', 'y=1'), rules: [{ at: SESSION, presence: true }, { at: 'header:set-cookie/x', ignore: true }, { at: 'header:set-cookie/y', additions: true }], differs: [] },
  { name: 'cookies in another order', primary: cookies('a=1', 'b=1'), shadow: cookies('b=1', 'a=1'), differs: ['set-cookie'] },
  { name: 'cookies in any order', primary: cookies('a=1', 'b=1'), shadow: cookies('b=1', 'a=1'), rules: [{ at: 'header:set-cookie', unordered: true }], differs: [] },
  { name: 'cookies of one name', primary: cookies('a=1; path=/', 'a=2; path=/b'), shadow: cookies('a=1; path=/', 'a=3; path=/b'), differs: ['set-cookie/a/value'] },
  { name: 'all cookies ignored', primary: cookies('a=1', 'b=1'), shadow: cookies('a=2'), rules: [{ at: 'header:set-cookie', ignore: true }], differs: [] },
  { name: 'all cookies ignored but one', primary: cookies('a=1', 'b=1'), shadow: cookies('a=2', 'b=2'), rules: [{ at: 'header:set-cookie', ignore: true }, { at: 'header:set-cookie/b/value', format: 'uuid' }], differs: ['set-cookie/b/value'] },
  { name: 'some cookies', primary: cookies('a=1'), shadow: cookies('b=1; secure'), rules: [{ at: 'header:set-cookie', presence: true }], differs: [] },
  { name: 'no cookies', primary: cookies('a=1'), shadow: cookies(), rules: [{ at: 'header:set-cookie', presence: true }], differs: ['set-cookie'] },
  { name: 'cookies that may be missing', primary: cookies('a=1'), shadow: cookies(), rules: [{ at: 'header:set-cookie', optional: true }], differs: [] },
  { name: 'what is no cookie', primary: cookies('a'), shadow: cookies('b'), differs: ['set-cookie'] },
  { name: 'what is no cookie, ignored', primary: cookies('a'), shadow: cookies('=b'), rules: [{ at: 'header:set-cookie', ignore: true }], differs: [] },
  { name: 'what is no cookie, in any order', primary: cookies('a'), shadow: cookies('=b'), rules: [{ at: 'header:set-cookie', unordered: true }], differs: ['set-cookie'] },
  { name: 'very many cookies', primary: cookies(...Array.from({ length: 101 }, (_, i) => `a${i}=1`)), shadow: cookies('a0=1'), differs: ['set-cookie'] },

  { name: 'text with a time', primary: text('a\nmade at 10:00\nb'), shadow: text('a\nmade at 11:30\nb'), rules: [{ at: 'text:\\d\\d:\\d\\d', ignore: true }], differs: [] },
  { name: 'text that differs elsewhere', primary: text('é\n10:00\nbc'), shadow: text('é\n11:00\nbd'), rules: [{ at: 'text:\\d\\d:\\d\\d', ignore: true }], differs: [9] },
  { name: 'text with lines of nothing else', primary: text('a\n# 1\n# 2\nb'), shadow: text('a\nb\n# 3'), rules: [{ at: 'text:^# .*$', ignore: true }], differs: [] },
  { name: 'text with an empty line more', primary: text('a\n\nb'), shadow: text('a\nb'), rules: [{ at: 'text:x', ignore: true }], differs: [2] },
  { name: 'text that ends', primary: text('a'), shadow: text('a\nb'), rules: [{ at: 'text:x', ignore: true }], differs: [1] },
  { name: 'text in a very long line', primary: text(`${'a'.repeat(5000)}1`), shadow: text(`${'a'.repeat(5000)}2`), rules: [{ at: 'text:\\d', ignore: true }], differs: [0] },
  { name: 'a long text, in steps', primary: text('1\n2 x\n'.repeat(9000)), shadow: text('1\n3 x\n'.repeat(9000)), rules: [{ at: 'text:[23]', ignore: true }, { at: 'text:y', ignore: true }], differs: [] },
  { name: 'text rules on JSON', primary: json({ a: 1 }), shadow: json({ a: 2 }), rules: [{ at: 'text:\\d', ignore: true }], differs: ['body'] },

  { name: 'links', primary: json({ next: 'https://api.example.com/b?back=https%3A%2F%2Fapi.example.com%2Fa', text: 'see https://api.example.com.' }), shadow: json({ next: 'http://v2.internal:8080/b?back=http%3a%2F%2Fv2.internal%3A8080%2Fa', text: 'see HTTP://v2.internal:8080.' }), differs: [] },
  { name: 'links that differ', primary: json({ next: 'https://api.example.com/a' }), shadow: json({ next: 'http://v2.internal:8080/b' }), differs: ['body'] },
  { name: 'links to somebody else', primary: json({ next: 'https://api.example.com/a' }), shadow: json({ next: 'http://v2.internal:80801/a' }), differs: ['body'] },
  { name: 'links to a longer name', primary: json({ next: 'https://api.example.com/a' }), shadow: json({ next: 'http://v2.internal:8080.evil.example/a' }), differs: ['body'] },
  { name: 'links in text', primary: text('<a href="https://api.example.com/a">'), shadow: text('<a href="http://v2.internal:8080/a">'), differs: [] },
  { name: 'links in headers', primary: text('x', { location: 'https://api.example.com/a', link: '<https://api.example.com/b>; rel="next"' }), shadow: text('x', { location: 'http://v2.internal:8080/a', link: '<http://v2.internal:8080/b>; rel="next"' }), differs: [] },
  { name: 'links in other headers', primary: text('x', { 'x-a': 'https://api.example.com/a' }), shadow: text('x', { 'x-a': 'http://v2.internal:8080/a' }), differs: ['x-a'] },
  { name: 'a redirect elsewhere', primary: text('x', { location: 'https://api.example.com/a' }), shadow: text('x', { location: 'http://v2.internal:8080/b' }), differs: ['location'] },

  { name: 'a rule for an endpoint', path: '/users/1234', primary: json({ at: 1 }, { 'x-a': '1' }), shadow: json({ at: 2 }, { 'x-a': '2' }), rules: [{ at: 'at', endpoint: 'GET /users/*', ignore: true }, { at: 'header:x-a', endpoint: 'GET /users/*', ignore: true }], differs: [] },
  { name: 'a rule for another endpoint', path: '/orders/1234', primary: json({ at: 1 }, { 'x-a': '1' }), shadow: json({ at: 2 }, { 'x-a': '2' }), rules: [{ at: 'at', endpoint: 'GET /users/*', ignore: true }, { at: 'header:x-a', endpoint: 'GET /users/*', ignore: true }], differs: ['x-a', 'body'] },
  { name: 'a rule for what is not found', path: '/missing/1', primary: { ...json({ at: 1 }), status: 404 }, shadow: { ...json({ at: 2 }), status: 404 }, rules: [{ at: 'at', endpoint: '(not found)', ignore: true }], differs: [] }
]

/** As a case has it. */
function differing (mismatch: MismatchEvent | null): Array<string | number> {
  if (mismatch === null) return []
  const { headers, body } = mismatch
  const names = headers.map(({ name }) => name)
  if (body === null) return names
  return body.kind === 'text' ? [...names, body.offset] : [...names, 'body']
}

/** The same rules, for requests below a prefix. */
function below (prefix: string, rules: CompareRule[]): CompareRule[] {
  return rules.map(rule => rule.endpoint?.startsWith('GET ') ? { ...rule, endpoint: rule.endpoint.replace(' ', ` ${prefix}`) } : rule)
}

for (const { mode, plugin } of modes) {
  t.test(`${mode}: answers under rules`, async t => {
    const replies = (side: 'primary' | 'shadow') => startBackend(t, (request, response) => {
      const { [side]: reply } = cases[Number(/^\/c(\d+)/.exec(request.url as string)?.[1])]
      answer(response, reply)
    })
    const [primary, shadow] = [await replies('primary'), await replies('shadow')]
    const events: MismatchEvent[] = []
    const gateway = await startGateway(t, {
      plugin: { onMismatch: event => { events.push(event) }, ...plugin },
      async routes (app) {
        for (const [index, { rules = [] }] of cases.entries()) {
          const prefix = `/c${index}`
          const compare = { enabled: true, detailedDiff: true, rules: below(prefix, rules), origins: ORIGINS, ignoreHeaders: ['x-mine'] }
          const mirror = { id: prefix, timeout: PATIENCE, backends: [shadow.url], compare }
          await app.register(httpProxy, { upstream: primary.url, prefix, rewritePrefix: prefix, config: { mirror } })
        }
      }
    })
    const client = keepAlive(t, gateway.url)
    for (const [index, { name, path = '/a', differs }] of cases.entries()) {
      const id = `/c${index}`
      const { body } = await client.request({ method: 'GET', path: id + path })
      await body.arrayBuffer()
      const settled = () => {
        const { matched, mismatched } = gateway.mirror(id).backends[0]
        return matched + mismatched === 1
      }
      await until(`${name}: it is compared`, settled, PATIENCE)
      const told = events.find(({ mirror }) => mirror === id) ?? null
      t.strictSame(differing(told), differs, name)
      t.equal(gateway.mirror(id).backends[0].matched, differs.length === 0 ? 1 : 0, name)
      booksClose(t, gateway.mirror(id))
    }
  })
}
