import httpProxy from '@fastify/http-proxy'
import t from 'tap'
import type { Test } from 'tap'
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import tls from 'node:tls'
import { request } from 'undici'
import { startBackend, startTcp, track } from '../helpers/backend'
import { booksClose } from '../helpers/books'
import { rawClient } from '../helpers/client'
import { modes, startGateway, startProxy } from '../helpers/gateway'
import * as pair from '../helpers/tls'
import { startTwins } from '../helpers/twins'
import { until } from '../helpers/until'
import { RequestReader } from '../helpers/wire'

const TIMEOUT = 60_000
const HIDDEN = 'GET /hidden HTTP/1.1\r\nhost: hidden\r\n\r\n'

/** Requests whose end, or whose very being, two parsers may find at two places. The path tells them apart. */
const shapes: Record<string, string | string[]> = {
  'a length and chunks': post('content-length: 4', 'transfer-encoding: chunked') + `0\r\n\r\n${HIDDEN}`,
  'chunks and a length': post('transfer-encoding: chunked', `content-length: ${5 + HIDDEN.length}`) + `0\r\n\r\n${HIDDEN}`,
  'two lengths': post('content-length: 0', `content-length: ${HIDDEN.length}`) + HIDDEN,
  'the same length twice': post('content-length: 2', 'content-length: 2') + `ok${HIDDEN}`,
  'a list of lengths': post('content-length: 2, 2') + `ok${HIDDEN}`,
  'a length with a sign': post('content-length: +2') + `ok${HIDDEN}`,
  'a length below zero': post('content-length: -2') + `ok${HIDDEN}`,
  'a length in hexadecimal': post('content-length: 0x2') + `ok${HIDDEN}`,
  'a length with a space in it': post('content-length: 2 0') + `ok${HIDDEN}`,
  'a length longer than numbers go': post('content-length: 18446744073709551618') + `ok${HIDDEN}`,
  'a length that is none': post('content-length:') + HIDDEN,
  'a length before a space and its colon': post(`content-length : ${HIDDEN.length}`) + HIDDEN,
  'a length behind a NUL': post('x-a: \0', 'content-length: 2') + `ok${HIDDEN}`,
  'a length on a folded line': post(`content-length:\r\n ${HIDDEN.length}`) + HIDDEN,
  'a folded line': post('x-a: 1\r\n content-length: 2', 'content-length: 0') + HIDDEN,
  'a folded line that names chunks': post('transfer-encoding:\r\n chunked') + `0\r\n\r\n${HIDDEN}`,
  'bare LF everywhere': `POST /p/LF HTTP/1.1\nhost: a\ncontent-length: 2\n\nok${HIDDEN}`,
  'a bare LF after a header': post('x-a: 1\ncontent-length: 2') + `ok${HIDDEN}`,
  'a bare CR in a header': post('x-a: 1\rcontent-length: 2') + `ok${HIDDEN}`,
  'a bare LF before the body': `POST /p/LF HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\nok${HIDDEN}`,
  ...Object.fromEntries([
    'xchunked', 'chunked, identity', 'identity, chunked', 'identity', 'gzip, chunked', 'chunked, chunked', 'CHUNKED', 'chunked;q=1', '"chunked"',
    '\vchunked', 'chunked\v', '\tchunked', ', chunked', 'chunked,', 'chun\0ked', 'ch\u00fcnked', ''
  ].map(coding => [`chunks spelled ${JSON.stringify(coding)}`, post(`transfer-encoding: ${coding}`) + `2\r\nok\r\n0\r\n\r\n${HIDDEN}`])),
  'two codings': post('transfer-encoding: identity', 'transfer-encoding: chunked') + `2\r\nok\r\n0\r\n\r\n${HIDDEN}`,
  'two codings, the last another one': post('transfer-encoding: chunked', 'transfer-encoding: identity') + `2\r\nok\r\n0\r\n\r\n${HIDDEN}`,
  'a coding before a space and its colon': post('transfer-encoding : chunked') + `2\r\nok\r\n0\r\n\r\n${HIDDEN}`,
  'a coding of another name': post('transfer_encoding: chunked') + `2\r\nok\r\n0\r\n\r\n${HIDDEN}`,
  'chunks with extensions': chunked(`2;a=b;c="d;e"\r\nok\r\n0;f\r\n\r\n${HIDDEN}`),
  'chunks with an extension that has a line end': chunked(`2;a="\r\nok\r\n0\r\n\r\n${HIDDEN}`),
  'chunks with a bare LF in an extension': chunked(`2;a\nok\r\n0\r\n\r\n${HIDDEN}`),
  'chunks with zeros before their size': chunked(`0000000000000002\r\nok\r\n0000\r\n\r\n${HIDDEN}`),
  'chunks of a size with a prefix': chunked(`0x2\r\nok\r\n0\r\n\r\n${HIDDEN}`),
  'chunks of a size with spaces': chunked(`2  \r\nok\r\n0 \r\n\r\n${HIDDEN}`),
  'chunks of a size below zero': chunked(`-2\r\nok\r\n0\r\n\r\n${HIDDEN}`),
  'chunks of a size longer than numbers go': chunked(`10000000000000002\r\nok\r\n0\r\n\r\n${HIDDEN}`),
  'chunks with bare LF': chunked(`2\nok\n0\n\n${HIDDEN}`),
  'chunks longer than their size': chunked(`2\r\nokay\r\n0\r\n\r\n${HIDDEN}`),
  'a trailer that is framing': chunked(`2\r\nok\r\n0\r\ncontent-length: ${HIDDEN.length}\r\ntransfer-encoding: chunked\r\n\r\n${HIDDEN}`),
  'a trailer that is the mark': chunked('2\r\nok\r\n0\r\nx-mirrored-from: a\r\nhost: evil\r\n\r\n'),
  'a trailer that is a request': chunked(`2\r\nok\r\n0\r\n${HIDDEN}`),
  'a request in the body of a GET': `GET /p/get HTTP/1.1\r\nhost: a\r\ncontent-length: ${HIDDEN.length}\r\n\r\n${HIDDEN}`,
  'a request in the chunks of a GET': `GET /p/get HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n${HIDDEN.length.toString(16)}\r\n${HIDDEN}\r\n0\r\n\r\n`,
  'a request in the body of a HEAD': `HEAD /p/head HTTP/1.1\r\nhost: a\r\ncontent-length: ${HIDDEN.length}\r\n\r\n${HIDDEN}`,
  'a request in the body of a DELETE': `DELETE /p/delete HTTP/1.1\r\nhost: a\r\ncontent-type: a/b\r\ncontent-length: ${HIDDEN.length}\r\n\r\n${HIDDEN}`,
  'a request as a body': post(`content-length: ${HIDDEN.length}`) + HIDDEN,
  'a body that Connection names the length of': post('connection: content-length, keep-alive', `content-length: ${HIDDEN.length}`) + HIDDEN,
  'a body that Connection names the chunks of': post('connection: transfer-encoding', 'transfer-encoding: chunked') + `2\r\nok\r\n0\r\n\r\n${HIDDEN}`,
  'Connection naming host and mark': post('connection: host, x-mirrored-from', 'content-length: 2') + 'ok',
  'chunks in HTTP/1.0': 'POST /p/old HTTP/1.0\r\nhost: a\r\nconnection: keep-alive\r\ncontent-type: a/b\r\ntransfer-encoding: chunked\r\n\r\n' + `2\r\nok\r\n0\r\n\r\n${HIDDEN}`,
  'what wants to be HTTP/2': post('connection: upgrade, http2-settings', 'upgrade: h2c', 'http2-settings: AAA', 'content-length: 2') + `ok${HIDDEN}`,
  'a space in its target': `GET /p/a HTTP/1.1\r\nhost: a\r\n\r\nGET /p/b /hidden HTTP/1.1\r\nhost: a\r\n\r\n${HIDDEN}`,
  'a line end in its target': `GET /p/a%0d%0a%0d%0aGET%20/hidden HTTP/1.1\r\nhost: a\r\n\r\n${HIDDEN}`,
  'no name of a protocol': `GET /p/a\r\n\r\n${HIDDEN}`,
  'two hosts': `GET /p/a HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n${HIDDEN}`,
  'lines before it': `\r\n\r\n${post('content-length: 2')}ok${HIDDEN}`,
  'its body late, and another request with it': [post('content-length: 2'), `ok${post('content-length: 2')}`, `ok${HIDDEN}`],
  'its chunks cut anywhere': [post('transfer-encoding: chunked').slice(0, -2), '\r', '\n', '2', '\r', '\no', 'k\r', '\n0\r\n', '\r', '\n', HIDDEN]
}

function post (...headers: string[]): string {
  return ['POST /p/post HTTP/1.1', 'host: a', 'content-type: a/b', ...headers, '', ''].join('\r\n')
}

function chunked (body: string): string {
  return post('transfer-encoding: chunked') + body
}

interface Got { line: string, body: string, ended: boolean }

/** Notes every request, as its bytes say, and answers it. */
async function startRecorder (t: Test) {
  const got: Got[] = []
  const server = await startTcp(t, socket => {
    socket.on('end', () => socket.destroy())
    let current: Got
    const reader = new RequestReader({
      onHead (head) { got.push(current = { line: head.split('\r\n')[0], body: '', ended: false }) },
      onBody (piece) { current.body += piece },
      onEnd () {
        current.ended = true
        socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${current.line.startsWith('HEAD') ? 0 : 2}\r\n\r\n${current.line.startsWith('HEAD') ? '' : 'ok'}`)
      }
    })
    socket.on('data', data => reader.feed(data.toString('latin1')))
  })
  const whole = () => got.filter(({ ended }) => ended).map(({ line, body }) => `${line} ${body}`).sort()
  return Object.assign(server, { got, whole })
}

for (const { mode, plugin } of modes) {
  t.test(`${mode}: what two parsers may read in two ways never reaches the shadow as another request than the primary's`, async t => {
    const primary = await startRecorder(t)
    const shadow = await startRecorder(t)
    let open: Array<[IncomingMessage, ServerResponse]> = []
    const gateway = await startGateway(t, {
      plugin,
      routes: async app => {
        app.addHook('onRequest', async ({ raw }, reply) => { open.push([raw, reply.raw]) })
        const mirror = { id: 'p', backends: [shadow.url], timeout: TIMEOUT, breaker: false as const }
        await app.register(httpProxy, { upstream: primary.url, prefix: '/p', rewritePrefix: '/p', config: { mirror } })
      }
    })
    const expected: string[] = []
    for (const [name, shape] of Object.entries(shapes)) {
      open = []
      const accepted = once(gateway.app.server, 'connection')
      const client = await rawClient(t, gateway.port)
      const [connection] = await accepted as [Socket]
      for (const piece of [shape].flat()) {
        client.socket.write(piece, 'latin1')
        await new Promise(setImmediate)
      }
      // What is behind it may become a part of it.
      client.socket.write('GET /p/last HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n')
      await until(`everything is answered that is complete: ${name}`, () => client.socket.destroyed ||
        (connection.bytesRead === client.socket.bytesWritten && open.every(([asked, answer]) => answer.writableFinished || answer.destroyed || !asked.complete)))
      client.socket.destroy()
      await until('nothing is under way', () => connection.destroyed && gateway.mirror().pending === 0 && gateway.backend().inFlight === 0)
      const [asked, copied] = [primary.whole(), shadow.whole()]
      t.strictSame(copied.filter(one => !asked.includes(one)), [], `${name}: a copy is of what the primary got`)
      t.ok(copied.length <= asked.length + primary.got.filter(({ ended }) => !ended).length, `${name}: and there are no more of them`)
      for (const { line } of shadow.got) t.notMatch(line, / \/hidden/)
      expected.push(...asked)
      primary.got.length = shadow.got.length = 0
    }
    t.ok(expected.length > Object.keys(shapes).length / 3, `there is something to compare: ${expected.length}`)
    booksClose(t, gateway.mirror())
  })

  t.test(`${mode}: the mark keeps a request from being mirrored, and does nothing else`, async t => {
    const primary = await startBackend(t)
    const shadow = await startBackend(t)
    const gateway = await startProxy(t, primary.url, { backends: [shadow.url], timeout: TIMEOUT }, plugin)
    const marks: Array<string | string[]> = ['', 'a', ['a', 'b'], 'http://evil.test:1', '../../mirrors', 'x'.repeat(8000), '"><script>']
    const names = ['x-mirrored-from', 'X-Mirrored-From', 'X-MIRRORED-FROM']
    for (const [i, mark] of marks.entries()) {
      const name = names[i % names.length]
      const { statusCode, body } = await request(gateway.url, {
        method: 'POST', body: 'text', headers: [['host', 'a'], ...[mark].flat().map(one => [name, one])].flat()
      })
      t.equal(await body.text(), 'ok')
      t.equal(statusCode, 200)
      t.equal(primary.requests.at(-1)?.headers['x-mirrored-from'], [mark].flat().join(', '), 'the primary is told what the client said')
    }
    const client = await rawClient(t, gateway.port, 'GET / HTTP/1.1\r\nhost: a\r\nconnection: x-mirrored-from, close\r\nx-mirrored-from: b\r\n\r\n')
    await client.until(/ok$/)
    t.match(gateway.mirror(), { seen: marks.length + 1, looped: marks.length + 1, mirrored: 0, unhandled: 0 })

    // What is mirrored has one mark, which is the plugin's.
    await (await request(gateway.url, { headers: { host: 'asked.test', 'x-mirrored-from-': 'no mark' } })).body.dump()
    await until('the copy is there', () => shadow.requests.length > 0)
    t.equal(shadow.requests.length, 1)
    t.strictSame(shadow.requests[0].headers['x-mirrored-from'], 'asked.test')
    booksClose(t, gateway.mirror())
  })

  t.test(`${mode}: nothing that a client says chooses where a copy goes, nor its TLS name, nor a connection of its own`, async t => {
    const names: Array<string | false> = []
    const hosts: Array<string | undefined> = []
    const shadow = await track(t, tls.createServer({ ...pair, ALPNProtocols: ['h2', 'http/1.1'] }, socket => {
      names.push(socket.servername || false)
      socket.on('error', () => {})
      const reader = new RequestReader({
        onHead (head) { hosts.push(/\nhost: (.*?)\r/i.exec(head)?.[1]) },
        onBody () {},
        onEnd () { socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok') }
      })
      socket.on('data', data => reader.feed(data.toString('latin1')))
    }))
    const bait = await startBackend(t)
    const url = `https://localhost:${shadow.port}`
    const gateway = await startGateway(t, {
      plugin,
      routes: app => {
        for (const [path, preserveHost] of [['/own', false], ['/theirs', true]] as const) {
          app.get(path, { mirror: { id: path, preserveHost, timeout: TIMEOUT, breaker: false, backends: [{ url, connect: { ca: pair.cert } }] } }, async () => 'ok')
        }
      }
    })
    const evil = bait.host
    const attempts = [
      `host: ${evil}`, 'host: evil.test', 'host: evil.test:443', 'host: user@evil.test', 'host: localhost.evil.test', 'host: [::1]', 'host:', 'host: a b',
      `host: a\r\nx-forwarded-host: ${evil}\r\nforwarded: host=${evil};proto=http`, `host: a\r\nx-forwarded-server: ${evil}\r\nx-forwarded-proto: http`,
      `host: a\r\nx-host: ${evil}\r\nx-original-url: http://${evil}/\r\nx-rewrite-url: http://${evil}/`, `host: a\r\nalt-svc: h2="${evil}"\r\n:authority: ${evil}`
    ]
    for (const path of ['/own', '/theirs']) {
      const mirror = () => gateway.mirror(path)
      for (const target of ['', `http://${evil}`, 'https://evil.test', `HTTP://user:pass@${evil}`]) {
        for (const attempt of attempts) {
          const client = await rawClient(t, gateway.port, `GET ${target}${path} HTTP/1.1\r\n${attempt}\r\nconnection: close\r\n\r\n`)
          await client.until(/^HTTP.1.1 (200|400)/)
          await until('its copy has ended', () => mirror().pending === 0 && mirror().backends[0].inFlight === 0)
          client.socket.destroy()
        }
      }
      const { mirrored, backends: [{ success }] } = mirror()
      t.ok(mirrored >= 4 * (attempts.length - 2), `${mirrored} mirrored`)
      t.equal(success, mirrored, 'all of them by the backend')
      booksClose(t, mirror())
    }
    t.equal(bait.connections, 0, 'nobody else was asked')
    t.strictSame([...new Set(names)], ['localhost'])
    t.equal(names.length, 2, 'a connection for each of the two mirrors')
    t.strictSame([...new Set(hosts.slice(0, gateway.mirror('/own').mirrored))], [`localhost:${shadow.port}`])
    t.ok(hosts.slice(gateway.mirror('/own').mirrored).includes('evil.test'), 'Host alone is the client\'s, where that is wanted')
  })

  t.test(`${mode}: what hurts terminals, shells and logs comes out as text`, async t => {
    const lines: string[] = []
    const twins = await startTwins(t, {
      plugin: { ...plugin, admin: { onRequest: async () => {} } },
      server: { logger: { level: 'trace', stream: { write: (line: string) => { lines.push(line) } } } },
      compare: { logMismatches: true }
    })
    const nasty = '\x1b[2J\x1b]0;owned\x07\r\n\u2028\u202e\u0000{"level":60,"msg":"forged"}\'"; $(touch /tmp/owned) `id` </script><script>alert(1)</script>'
    const json = { headers: { 'content-type': 'application/json' } }
    const { mismatch } = await twins.ask(
      { ...json, body: JSON.stringify({ [nasty]: nasty, a: 1 }) },
      { ...json, headers: { ...json.headers, 'x-a': Buffer.from('\x80\x9b\'"').toString('latin1') }, body: JSON.stringify({ [nasty]: nasty + '!', a: 2 }) },
      {
        method: 'POST',
        path: '/a%0d%0aforged%1b[2J\'"$(id)?b=\'`id`&c=%00;{}|',
        headers: { 'content-type': 'text/plain', 'x-nasty': '\x80\x9b2J\'"$(id)`id`' },
        body: nasty
      }
    )
    t.match(mismatch, { body: { kind: 'json' } })
    // eslint-disable-next-line no-control-regex -- they are what must not be there
    const controls = /[\x00-\x08\x0b-\x1f\x7f]/
    for (const line of lines) {
      t.notMatch(line.trimEnd(), /\n/, 'a line is one line')
      t.notMatch(line.trimEnd(), controls)
      t.not(JSON.parse(line).msg, 'forged')
    }
    t.ok(lines.some(line => JSON.parse(line).msg === 'mirror mismatch'))
    const admin = async (path: string) => {
      const { statusCode, headers, body } = await request(twins.gateway.url + path)
      t.equal(statusCode, 200, path)
      return { type: headers['content-type'] as string, text: await body.text() }
    }
    const query = `mirror=twins&place=${mismatch?.places[0]}&base=${encodeURIComponent(twins.gateway.url)}`
    for (const path of ['/mirrors/twins/mismatches', `/mirrors/ui/place?${query}`, '/mirrors/ui/state?mirror=twins', '/mirrors/twins']) {
      const { type, text } = await admin(path)
      t.match(type, /^application\/json/, 'no browser takes it for a page')
      t.notMatch(text, controls)
    }
    for (const side of ['shadow', 'primary']) {
      const { type, text } = await admin(`/mirrors/twins/mismatches/${mismatch?.places[0]}/curl?side=${side}`)
      t.match(type, /^text\/plain/)
      t.notMatch(text.trimEnd(), /\p{C}/u, 'of one line, without anything that a terminal obeys')
      const words = execFileSync('sh', ['-c', `curl () { for word do printf '%s\\0' "$word"; done; cat >&2; }\n${text}`], { input: '', stdio: ['pipe', 'pipe', 'ignore'] })
      t.match(words.toString('latin1'), 'x-nasty: \x80\x9b2J\'"$(id)`id`', 'which a shell reads as nothing but words')
    }
  })
}
