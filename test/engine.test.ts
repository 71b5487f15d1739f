import t from 'tap'
import type { Test } from 'tap'
import { hash } from 'node:crypto'
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { setImmediate } from 'node:timers/promises'
import { REFUSED, startBackend, startTcp } from './helpers/backend'
import { testEngines } from './helpers/engine'
import type { Sent } from './helpers/engine'
import { seeded } from './helpers/random'
import { until } from './helpers/until'

const OK = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok'

/** A server that gives each request without a body, once its head is there, the bytes that it is told to. */
function answering (t: Test, answer: (socket: Socket, head: string) => void) {
  return startTcp(t, socket => {
    let head = ''
    socket.on('end', () => socket.end())
    socket.on('data', data => {
      head += data.toString('latin1')
      if (!head.endsWith('\r\n\r\n')) return
      answer(socket, head)
      head = ''
    })
  })
}

/** A server that notes all it gets, and hands over each connection. */
async function noting (t: Test, onSocket: (socket: Socket) => void = () => {}) {
  let got = ''
  let ends = 0
  const server = await startTcp(t, socket => {
    socket.on('data', data => { got += data.toString('latin1') })
    socket.on('close', () => ends++)
    socket.on('end', () => socket.destroy())
    onSocket(socket)
  })
  return Object.assign(server, { got: () => got, ends: () => ends })
}

// What is sent.

testEngines(t, 'a request goes out as it was given, in order, repeated headers kept', async (t, bench) => {
  const shadow = await answering(t, (socket, head) => {
    heads.push(head)
    socket.write(OK)
  })
  const heads: string[] = []
  const headers = ['host', 'other.test', 'x-b', '1', 'X-A', 'two', 'x-b', '3', 'cookie', 'a=b; c=d']
  const { sink, ended } = bench.send(bench.target(shadow.url), { method: 'PURGE', path: '/a%20b?c=%2F&d', headers })
  await ended()
  t.equal(sink.fate, 'answered: 200')
  t.strictSame(heads, [
    'PURGE /a%20b?c=%2F&d HTTP/1.1\r\nhost: other.test\r\nconnection: keep-alive\r\n' +
    'x-b: 1\r\nX-A: two\r\nx-b: 3\r\ncookie: a=b; c=d\r\n\r\n'
  ])
})

testEngines(t, 'every method is sent with the framing that its body needs', async (t, bench) => {
  const shadow = await startBackend(t)
  const target = bench.target(shadow.url)
  const cases = [
    { method: 'GET', framing: [undefined, undefined] },
    { method: 'HEAD', framing: [undefined, undefined] },
    { method: 'POST', framing: ['0', undefined] },
    { method: 'GET', length: 3, framing: [undefined, undefined] },
    { method: 'POST', length: 3, framing: ['0', undefined] },
    { method: 'POST', body: '', framing: ['0', undefined] },
    { method: 'POST', body: 'four', framing: ['4', undefined] },
    { method: 'POST', body: 'five!', length: 0, framing: ['5', undefined] },
    { method: 'PUT', body: 'four', framing: ['4', undefined] },
    { method: 'PATCH', body: 'four', framing: ['4', undefined] },
    { method: 'DELETE', body: 'four', framing: ['4', undefined] },
    { method: 'OPTIONS', body: 'four', framing: ['4', undefined] },
    { method: 'REPORT', body: 'four', framing: ['4', undefined] },
    { method: 'POST', upload: true, pieces: ['1', '234'], length: 4, framing: ['4', undefined] },
    { method: 'POST', upload: true, pieces: ['1', '234'], framing: [undefined, 'chunked'] },
    { method: 'DELETE', upload: true, pieces: ['12', '34'], framing: [undefined, 'chunked'] },
    { method: 'POST', upload: true, pieces: [], framing: ['0', undefined] },
    { method: 'DELETE', upload: true, pieces: [], framing: [undefined, undefined] }
  ]
  for (const { method, body, upload, pieces, length, framing } of cases) {
    const seen = shadow.requests.length
    const { exchange, sink, ended } = bench.send(target, { method, body, upload, length })
    for (const piece of pieces ?? []) {
      exchange.write(Buffer.from(piece))
      await until('it is on its way', () => shadow.requests.length > seen)
    }
    if (upload) exchange.end()
    await ended()
    const what = `${method} ${body ?? pieces?.join('|')}`
    t.equal(sink.fate, 'answered: 200', what)
    const [request] = shadow.requests.slice(seen)
    t.strictSame([request.headers['content-length'], request.headers['transfer-encoding']], framing, what)
    t.equal(request.body?.toString(), body ?? pieces?.join('') ?? '', what)
  }
})

testEngines(t, 'a body that comes within the turn is sent as a whole', async (t, bench) => {
  const shadow = await startBackend(t)
  const { exchange, ended } = bench.send(bench.target(shadow.url), { method: 'POST', upload: true })
  exchange.write(Buffer.from('some'))
  exchange.write(Buffer.from('thing'))
  exchange.end()
  await ended()
  t.equal(shadow.requests[0].body?.toString(), 'something')
  if (bench.engine.threaded === false) t.equal(shadow.requests[0].headers['content-length'], '9')
})

testEngines(t, 'a body arrives as it was sent, however it was cut in pieces', async (t, bench) => {
  const shadow = await startBackend(t)
  const target = bench.target(shadow.url)
  const random = seeded(11)
  for (let round = 0; round < 25; round++) {
    const body = Buffer.alloc(Math.floor(random() ** 3 * 900_000), Buffer.from(`${round} of some body, `))
    const known = random() < 0.5
    const { exchange, sink, ended } = bench.send([target, target], { method: 'POST', upload: true, length: known ? body.length : 0 })
    for (let at = 0; at < body.length;) {
      const piece = body.subarray(at, at + 1 + Math.floor(random() ** 4 * 200_000))
      // Pieces as a socket gives them, with memory of their own, and pieces of something larger.
      exchange.write(random() < 0.5 ? Buffer.from(piece) : piece)
      at += piece.length
      if (random() < 0.3) await setImmediate()
    }
    exchange.end()
    await ended()
    t.equal(sink.fate, 'answered: 200')
    const got = shadow.requests.slice(-2)
    t.ok(got.every(request => request.body?.equals(body)), `round ${round}, ${body.length} bytes`)
  }
})

testEngines(t, 'a body that is there in several pieces before it is sent', async (t, bench) => {
  const shadow = await startBackend(t)
  const body = Buffer.alloc(200_000, 'abc')
  // No length: it is collected in blocks that grow.
  const { sink, ended } = bench.send(bench.target(shadow.url), { method: 'POST', body, length: 0 })
  await ended()
  t.equal(sink.fate, 'answered: 200')
  t.ok(shadow.requests[0].body?.equals(body))
})

testEngines(t, 'every backend gets its copy, and one that hangs holds up no other', async (t, bench) => {
  const hung = await startTcp(t, () => {})
  const [a, b] = [await startBackend(t), await startBackend(t)]
  const patient = { maxBacklogBytes: 64 * 1024 * 1024 }
  const targets = [bench.target(a.url, patient), bench.target(hung.url, { maxBacklogBytes: 100_000 }), bench.target(b.url, patient)]
  const { exchange, sinks } = bench.send(targets, { method: 'POST', upload: true })
  const piece = Buffer.alloc(50_000, 'x')
  for (let i = 0; i < 400; i++) {
    exchange.write(piece)
    if (i % 10 < 9) continue
    // At the pace of the two that take it. Slow is who has room for nothing through a turn of the event loop.
    await setImmediate()
    await until('they have taken it', () => bench.engine.budget.used < 5_000_000)
  }
  exchange.end()
  await until('the two have answered', () => sinks[0].done && sinks[2].done)
  t.equal(sinks[0].fate, 'answered: 200')
  t.equal(sinks[1].fate, 'failed: slow')
  t.equal(sinks[2].fate, 'answered: 200')
  for (const { requests } of [a, b]) t.equal(requests[0].body?.length, 400 * 50_000)
})

testEngines(t, 'what the client library refuses to send is told, and hurts no later copy', async (t, bench) => {
  const shadow = await startBackend(t)
  const target = bench.target(shadow.url)
  const cases = [
    { path: 'no-slash' },
    { path: '/a b' },
    { headers: ['host', 'a', 'x-a', 'line\nbreak'] },
    { headers: ['host', 'a', 'host', 'b'] },
    { headers: ['host', 'a', 'expect', '100-continue'] },
    { method: 'A B' },
    { method: 'POST', body: 'four', length: 5 }
  ]
  for (const options of cases) {
    const { sink, ended } = bench.send(target, options)
    await ended()
    t.equal(sink.fate, 'refused', JSON.stringify(options))
    t.match(sink.error?.code, /^UND_ERR_/)
  }
  t.equal(shadow.requests.length, 0)
  const { sink, ended } = bench.send(target)
  await ended()
  t.equal(sink.fate, 'answered: 200')
})

// What comes back.

const head = (rest: string) => `HTTP/1.1 200 OK\r\n${rest}\r\n\r\n`

/** Answer, fate, whether the connection is kept; `end`: the server closes it. */
const answers: ReadonlyArray<{ name: string, answer: string, end?: boolean, fate: string, kept?: boolean, method?: string }> = [
  { name: 'a length', answer: head('content-length: 2') + 'ok', fate: 'answered: 200', kept: true },
  { name: 'chunks', answer: head('transfer-encoding: chunked') + '1\r\no\r\n1\r\nk\r\n0\r\n\r\n', fate: 'answered: 200', kept: true },
  { name: 'trailers', answer: head('transfer-encoding: chunked') + '2\r\nok\r\n0\r\nx-sum: 1\r\n\r\n', fate: 'answered: 200', kept: true },
  { name: 'no length, ended by the connection', answer: head('x-a: b') + 'ok', end: true, fate: 'answered: 200' },
  { name: 'a length and the end of the connection', answer: head('content-length: 2\r\nconnection: close') + 'ok', end: true, fate: 'answered: 200' },
  { name: 'HTTP/1.0, no length', answer: 'HTTP/1.0 200 OK\r\n\r\nok', end: true, fate: 'answered: 200' },
  { name: 'HTTP/1.0, a length', answer: 'HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok', fate: 'answered: 200' },
  { name: '204', answer: 'HTTP/1.1 204 No Content\r\n\r\n', fate: 'answered: 204', kept: true },
  { name: '204 with a length', answer: 'HTTP/1.1 204 No Content\r\ncontent-length: 5\r\n\r\n', fate: 'answered: 204' },
  { name: '304 with a length of 0', answer: 'HTTP/1.1 304 Not Modified\r\ncontent-length: 0\r\n\r\n', fate: 'answered: 304', kept: true },
  { name: '304 with the length of what it stands for', answer: 'HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\n\r\n', fate: 'answered: 304' },
  { name: '500', answer: 'HTTP/1.1 500 Oops\r\ncontent-length: 0\r\n\r\n', fate: 'answered: 500', kept: true },
  { name: 'a redirect, not followed', answer: 'HTTP/1.1 302 Found\r\nlocation: /b\r\ncontent-length: 0\r\n\r\n', fate: 'answered: 302', kept: true },
  { name: 'HEAD with a length', method: 'HEAD', answer: head('content-length: 2000'), fate: 'answered: 200' },
  { name: '103 and 102 first', answer: 'HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n' + OK, fate: 'answered: 200', kept: true },
  { name: '100 unasked', answer: 'HTTP/1.1 100 Continue\r\n\r\n' + OK, fate: 'answered: 200', kept: true },
  { name: '100 twice, after 103', answer: 'HTTP/1.1 103 Early Hints\r\nlink: 100\r\n\r\n' + '\r\nHTTP/1.1 100\r\nx: y\r\n\r\n'.repeat(2) + OK, fate: 'answered: 200', kept: true },
  { name: '101 unasked', answer: 'HTTP/1.1 101 Switching\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n', fate: 'failed: reset' },
  { name: 'more than its length', answer: head('content-length: 2') + 'okay', fate: 'answered: 200' },
  { name: 'a second answer unasked', answer: OK + OK, fate: 'answered: 200' },
  { name: 'less than its length', answer: head('content-length: 3') + 'ok', end: true, fate: 'failed: body' },
  { name: 'less than its length, closing', answer: head('content-length: 3\r\nconnection: close') + 'ok', end: true, fate: 'failed: body' },
  { name: 'chunks cut', answer: head('transfer-encoding: chunked') + '2\r\nok\r\n', end: true, fate: 'failed: body' },
  { name: 'chunks broken', answer: head('transfer-encoding: chunked') + '2\r\nok\r\nzz\r\n', fate: 'failed: body' },
  { name: 'two lengths', answer: head('content-length: 2\r\ncontent-length: 3') + 'oka', fate: 'failed: reset' },
  { name: 'one length twice', answer: head('content-length: 2\r\ncontent-length: 2') + 'ok', fate: 'failed: reset' },
  { name: 'no head', answer: '', end: true, fate: 'failed: reset' },
  { name: 'half a head', answer: 'HTTP/1.1 200 OK\r\nx-a', end: true, fate: 'failed: reset' },
  { name: 'nothing after early hints', answer: 'HTTP/1.1 103 Early Hints\r\n\r\n', end: true, fate: 'failed: reset' },
  { name: 'no HTTP', answer: 'SSH-2.0-x\r\n\r\n', fate: 'failed: reset' },
  { name: 'a head too large', answer: head('x-a: ' + 'a'.repeat(100_000)), fate: 'failed: reset' }
]

testEngines(t, 'an answer counts once it is complete, and for what it is', async (t, bench) => {
  let current = answers[0]
  const shadow = await answering(t, socket => {
    if (current.end) socket.end(current.answer)
    else socket.write(current.answer)
  })
  const target = bench.target(shadow.url)
  for (current of answers) {
    const { name, method, fate, kept = false } = current
    const { sink, ended } = bench.send(target, { method })
    await ended()
    t.equal(sink.fate, fate, name)
    if (sink.answered) t.ok(sink.ms > 0 && sink.ms < 10_000, 'it took its time')
    if (kept) t.equal(shadow.sockets.size, 1, `${name}: the connection is kept`)
    else await until(`after ${name} the connection is closed`, () => shadow.sockets.size === 0)
  }
})

testEngines(t, 'an answer that its connection delimits is not complete when the connection breaks', async (t, bench) => {
  const shadow = await answering(t, socket => {
    socket.write(head('x-a: b') + 'the begin')
    broken = socket
  })
  let broken: Socket | undefined
  const { exchange, sink, ended } = bench.send(bench.target(shadow.url), { compare: true })
  exchange.primaryStarts(200, '', null)
  await until('the answer has begun', () => broken !== undefined && broken.writableLength === 0)
  await once(broken as Socket, 'close', { signal: AbortSignal.timeout(20) }).catch(() => {})
  broken?.resetAndDestroy()
  await ended()
  t.equal(sink.fate, 'failed: body')
})

testEngines(t, 'a backend that is not there is one that can not be connected to', async (t, bench) => {
  const { sink, ended } = bench.send(bench.target(REFUSED.url))
  await ended()
  t.equal(sink.fate, 'failed: connect')
  t.equal(sink.error?.code, 'ECONNREFUSED')
})

testEngines(t, 'a name that nobody knows', async (t, bench) => {
  const target = bench.target('http://no-such-host.invalid', { connect: { lookup: undefined } })
  const { sink, ended } = bench.send(target)
  await ended()
  t.equal(sink.fate, 'failed: connect')
})

testEngines(t, 'the timeout ends what is not complete, and says how far it came', async (t, bench) => {
  const stalls: Record<string, [string, (socket: Socket) => void]> = {
    silence: ['failed: timeout', () => {}],
    'half a head': ['failed: timeout', socket => socket.write('HTTP/1.1 200')],
    'early hints': ['failed: timeout', socket => socket.write('HTTP/1.1 103 Early Hints\r\n\r\n')],
    'a head': ['failed: timeout', socket => socket.write(head('content-length: 5'))],
    'half a body': ['failed: timeout', socket => socket.write(head('content-length: 5') + 'oh')]
  }
  for (const [name, [fate, answer]] of Object.entries(stalls)) {
    const shadow = await answering(t, answer)
    const started = performance.now()
    const { sink, ended } = bench.send(bench.target(shadow.url, { timeout: 400 }))
    await ended()
    t.equal(sink.fate, fate, name)
    t.ok(performance.now() - started >= 398)
    await until('its connection is closed', () => shadow.sockets.size === 0)
  }
})

testEngines(t, 'a handshake that stalls is a connection that is not there', async (t, bench) => {
  const shadow = await startTcp(t, socket => { socket.on('end', () => socket.end()).resume() })
  const target = bench.target(shadow.url.replace('http:', 'https:'), { timeout: 60 })
  for (let i = 0; i < 3; i++) {
    const { sink, ended } = bench.send(target)
    await ended()
    t.equal(sink.fate, 'failed: connect')
    await until('its connection is closed', () => shadow.sockets.size === 0)
  }
})

// Uploads.

testEngines(t, 'the timeout runs from the last byte of the request', async (t, bench) => {
  const shadow = await noting(t)
  const { exchange, sink, ended } = bench.send(bench.target(shadow.url, { timeout: 50 }), { method: 'POST', upload: true })
  const started = performance.now()
  await until('twice the time has passed', () => {
    exchange.write(Buffer.from('.'))
    return performance.now() - started > 100
  })
  t.equal(sink.calls.length, 0)
  exchange.end()
  // A stream of HTTP/2 says so again when it closes.
  exchange.end()
  const sent = performance.now()
  await ended()
  t.equal(sink.fate, 'failed: timeout')
  t.ok(performance.now() - sent >= 45)
})

testEngines(t, 'a body that is cut never looks complete', async (t, bench) => {
  for (const length of [0, 9]) {
    const shadow = await noting(t)
    const target = bench.target(shadow.url)
    const { exchange, sink, ended } = bench.send(target, { method: 'POST', upload: true, length })
    exchange.write(Buffer.from('some'))
    await until('it is there', () => shadow.got().includes('some'))
    exchange.cut()
    await ended()
    t.equal(sink.fate, 'failed: aborted')
    await until('the connection is closed', () => shadow.ends() === 1)
    t.ok(shadow.got().endsWith(length === 0 ? '\r\n4\r\nsome' : '\r\n\r\nsome'), JSON.stringify(shadow.got().slice(-20)))
    exchange.write(Buffer.from('thing'))
    exchange.end()
    exchange.cut()
  }
})

testEngines(t, 'a request that is cut before it is sent is not sent', async (t, bench) => {
  const shadow = await noting(t)
  const { exchange, sink, ended } = bench.send(bench.target(shadow.url), { method: 'POST', upload: true })
  exchange.write(Buffer.from('some'))
  exchange.cut()
  await ended()
  t.equal(sink.fate, 'failed: aborted')
  const { ended: nextEnded, exchange: next } = bench.send(bench.target(shadow.url), { method: 'POST', upload: true, path: '/next' })
  next.write(Buffer.from('next'))
  await until('the next one is there', () => shadow.got().includes('next'))
  next.cut()
  await nextEnded()
  t.notMatch(shadow.got(), 'some')
})

testEngines(t, 'a copy that fails in the middle of its upload never looks complete', async (t, bench) => {
  const shadow = await noting(t)
  const { exchange, sink, ended } = bench.send(
    bench.target(shadow.url, { timeout: 40, maxBacklogBytes: 64 * 1024 * 1024 }), { method: 'POST', upload: true }
  )
  exchange.write(Buffer.from('some'))
  await until('it is there', () => shadow.got().includes('some'))
  for (const socket of shadow.sockets) socket.pause()
  // More than the sockets on the way hold.
  exchange.write(Buffer.alloc(12 * 1024 * 1024, 'x'))
  exchange.end()
  await ended()
  t.equal(sink.fate, 'failed: timeout')
  for (const socket of shadow.sockets) socket.resume()
  await until('the connection is closed', () => shadow.ends() === 1)
  t.notOk(shadow.got().includes('\r\n0\r\n'))
})

testEngines(t, 'a body longer or shorter than declared is a failure, and a shorter one never looks complete', async (t, bench) => {
  for (const length of [3, 9]) {
    const shadow = await noting(t)
    const { exchange, sink, ended } = bench.send(bench.target(shadow.url), { method: 'POST', upload: true, length })
    exchange.write(Buffer.from('so'))
    await until('it is there', () => shadow.got().includes('so'))
    exchange.write(Buffer.from('me'))
    exchange.end()
    await ended()
    t.equal(sink.fate, 'failed: reset')
    t.equal(sink.error?.code, 'UND_ERR_REQ_CONTENT_LENGTH_MISMATCH')
    await until('the connection is closed', () => shadow.ends() === 1)
    if (length === 9) t.ok(shadow.got().endsWith('\r\n\r\nsome'))
  }
})

testEngines(t, 'an answer that comes before the upload is done is an answer, and the rest is not sent', async (t, bench) => {
  const shadow = await noting(t, socket => {
    socket.once('data', () => socket.write('HTTP/1.1 413 No\r\ncontent-length: 0\r\n\r\n'))
  })
  const target = bench.target(shadow.url)
  const { exchange, sink, ended } = bench.send(target, { method: 'POST', upload: true })
  exchange.write(Buffer.from('some'))
  await ended()
  t.equal(sink.fate, 'answered: 413')
  exchange.write(Buffer.from('thing'))
  exchange.end()
  await until('the connection is closed', () => shadow.ends() === 1)
  t.notMatch(shadow.got(), 'thing')
  t.notMatch(shadow.got(), '\r\n0\r\n')
  const next = bench.send(target)
  await next.ended()
  t.equal(next.sink.fate, 'answered: 413')
  t.equal(shadow.connections, 2)
})

testEngines(t, 'what a backend did not take before it answered is not held for it', async (t, bench) => {
  const shadow = await startTcp(t, socket => {
    socket.on('end', () => socket.destroy())
    socket.once('data', () => {
      socket.pause()
      socket.write(OK)
    })
  })
  const target = bench.target(shadow.url, { maxBacklogBytes: 64 * 1024 * 1024 })
  for (let i = 1; i <= 3; i++) {
    const body = Buffer.alloc(16 * 1024 * 1024)
    const { sink, ended } = bench.send(target, { method: 'POST', body })
    await ended()
    t.equal(sink.fate, 'answered: 200')
    // The next one is sent at once: no connection has been idle for long enough to be given up for that.
    t.equal(shadow.connections, i, 'on a connection of its own')
  }
  for (const socket of shadow.sockets) socket.resume()
  await until('the connections are closed', () => shadow.sockets.size === 0)
})

testEngines(t, 'a copy whose backend takes its body too slowly is given up, and what was held is free', async (t, bench) => {
  const hung = await startTcp(t, socket => { socket.pause() })
  const { exchange, sink, ended } = bench.send(bench.target(hung.url), { method: 'POST', upload: true })
  const piece = Buffer.alloc(64 * 1024)
  let most = 0
  await until('it is given up', () => {
    exchange.write(piece)
    most = Math.max(most, bench.engine.budget.used)
    return sink.done
  })
  await ended()
  t.equal(sink.fate, 'failed: slow')
  await until('nothing is held', () => bench.engine.budget.used === 0)
  if (!bench.engine.threaded) t.ok(most <= 1024 * 1024 + 128 * 1024, `${most} bytes were held`)
})

testEngines(t, 'what does not fit in the budget is given up', async (t, bench) => {
  const hung = await startTcp(t, socket => { socket.pause() })
  const target = bench.target(hung.url, { maxBacklogBytes: 1024 * 1024 * 1024 })
  const uploads = [0, 1, 2].map(() => bench.send(target, { method: 'POST', upload: true }))
  const piece = Buffer.alloc(64 * 1024)
  await until('all are given up', () => {
    for (const { exchange } of uploads) exchange.write(piece)
    t.ok(bench.engine.budget.used <= 8 * 1024 * 1024)
    return uploads.every(({ sink }) => sink.done)
  })
  for (const { sink } of uploads) t.equal(sink.fate, 'failed: memory')
}, { bytes: 8 * 1024 * 1024 })

testEngines(t, 'a body that was not announced is not sent', async (t, bench) => {
  const backend = await startBackend(t)
  const { exchange, sink, ended } = bench.send(bench.target(backend.url))
  exchange.write(Buffer.from('x'))
  exchange.end()
  await ended()
  t.equal(sink.fate, 'answered: 200')
  t.equal(backend.requests[0].body?.length, 0)
})

testEngines(t, 'a copy that waits for its connection is not slow, and ends when it has none in time', async (t, bench) => {
  const stalled = await startTcp(t, socket => { socket.on('end', () => socket.end()).resume() })
  const target = bench.target(stalled.url.replace('http:', 'https:'), { maxBacklogBytes: 100_000, timeout: 1000 })
  const { exchange, sink, ended } = bench.send(target, { method: 'POST', upload: true })
  exchange.write(Buffer.from('x'))
  await until('it connects', () => stalled.connections === 1)
  exchange.write(Buffer.alloc(200_000))
  await ended()
  t.equal(sink.fate, 'failed: connect')
  await until('its connection is closed', () => stalled.sockets.size === 0)
})

// The primary's side.

interface Play { name: string, calls: string[], primary: (sent: Sent) => void, early?: boolean }

const plays: readonly Play[] = [
  { name: 'as a whole', calls: ['answered: 200', 'matched'], primary: ({ exchange }) => exchange.primaryWhole(200, '', null, 'ok', 5) },
  { name: 'as bytes', calls: ['answered: 200', 'matched'], primary: ({ exchange }) => exchange.primaryWhole(200, '', null, Buffer.from('ok'), 5) },
  { name: 'empty', calls: ['answered: 200', 'mismatched: body'], primary: ({ exchange }) => exchange.primaryWhole(200, '', null, '', 5) },
  {
    name: 'in pieces',
    calls: ['answered: 200', 'matched'],
    primary ({ exchange }) {
      exchange.primaryStarts(200, '', null)
      exchange.primaryData(Buffer.from('o'))
      exchange.primaryData(Buffer.from('k'))
      exchange.primaryEnds(5)
    }
  },
  { name: 'another status', calls: ['answered: 200', 'mismatched: status'], primary: ({ exchange }) => exchange.primaryWhole(500, '', null, 'ok', 5) },
  { name: 'another body', calls: ['answered: 200', 'mismatched: body'], primary: ({ exchange }) => exchange.primaryWhole(200, '', null, 'no', 5) },
  { name: 'both', calls: ['answered: 200', 'mismatched: status,body'], primary: ({ exchange }) => exchange.primaryWhole(404, '', null, 'no', 5) },
  { name: 'coded differently', calls: ['answered: 200', 'not compared: encoding'], primary: ({ exchange }) => exchange.primaryWhole(200, 'gzip', null, 'no', 5) },
  {
    name: 'lost in the middle',
    calls: ['answered: 200', 'not compared: primaryAborted'],
    primary ({ exchange }) {
      exchange.primaryStarts(200, '', null)
      exchange.primaryData(Buffer.from('ok'))
      exchange.primaryLost('primaryAborted')
      exchange.primaryEnds(5)
      exchange.primaryLost('hijacked')
      exchange.primaryWhole(200, '', null, 'ok', 5)
    }
  },
  {
    name: 'never begun',
    calls: ['answered: 200', 'not compared: primaryFailed'],
    primary ({ exchange }) {
      exchange.primaryLost('primaryFailed')
    }
  }
]

for (const [bytes, held] of [[1024, 2], [1, 0]]) {
  testEngines(t, `an answer that waits for the primary's holds ${held} bytes of ${bytes}`, async (t, bench) => {
    const shadow = await startBackend(t)
    const target = bench.target(shadow.url)
    for (const [text, call] of [['ok', 'matched'], ['no', 'mismatched: body']]) {
      const { exchange, sink, ended } = bench.send(target, { compare: true })
      exchange.primaryStarts(200, '', null)
      await until('it waits', () => sink.answered)
      t.equal(bench.engine.budget.used, held)
      exchange.primaryData(Buffer.from(text))
      exchange.primaryEnds(5)
      await ended()
      t.equal(sink.calls[1], call)
      t.equal(bench.engine.budget.used, 0)
      if (sink.difference !== null) t.match(sink.difference, { primaryHash: hash('sha256', text), shadowHash: hash('sha256', 'ok') })
    }
  }, { bytes, only: 'inline' })
}

for (const early of [true, false]) {
  testEngines(t, `the primary's answer, ${early ? 'first' : 'last'}, is compared`, async (t, bench) => {
    const shadow = await startBackend(t)
    const target = bench.target(shadow.url)
    for (const { name, calls, primary } of plays) {
      const sent = bench.send(target, { compare: true })
      t.equal(sent.exchange.wantsPrimary, true)
      if (!early) {
        await until('the copy is answered', () => sent.sink.answered)
        t.equal(sent.exchange.wantsPrimary, true, 'it is still of use')
      }
      primary(sent)
      t.equal(sent.exchange.wantsPrimary, false, 'one answer is enough')
      await sent.ended()
      t.strictSame(sent.sink.calls, calls, name)
      const { ms, latency } = sent.sink
      // A pair that spans a block of the event loop gives none.
      if (calls[1] === 'matched' && latency !== null) t.strictSame(latency, { primary: 5, difference: ms - 5 })
    }
  })
}

testEngines(t, 'a time that says nothing of the primary gives no sample', async (t, bench) => {
  const shadow = await startBackend(t)
  const { exchange, sink, ended } = bench.send(bench.target(shadow.url), { compare: true })
  exchange.primaryWhole(200, '', null, 'ok', NaN)
  await ended()
  t.strictSame(sink.calls, ['answered: 200', 'matched'])
  t.equal(sink.latency, null)
})

testEngines(t, 'codings that differ are no matter where hashes match or the status tells', async (t, bench) => {
  const shadow = await startBackend(t, (_, response) => {
    response.setHeader('Content-Encoding', ['GZIP', 'br'])
    response.end('ok')
  })
  const target = bench.target(shadow.url)
  const cases: Array<[encoding: string, status: number, body: string, call: string]> = [
    ['gzip, br', 200, 'ok', 'matched'],
    ['gzip, br', 200, 'no', 'mismatched: body'],
    ['', 200, 'ok', 'matched'],
    ['gzip', 200, 'no', 'not compared: encoding'],
    ['', 500, 'no', 'mismatched: status']
  ]
  for (const [encoding, status, body, call] of cases) {
    const { exchange, sink, ended } = bench.send(target, { compare: true })
    exchange.primaryWhole(status, encoding, null, body, 5)
    await ended()
    t.strictSame(sink.calls, ['answered: 200', call])
  }
})

testEngines(t, 'bodies of any size are compared as they flow', async (t, bench) => {
  const body = Buffer.alloc(3_000_000, 'abcdefg')
  const shadow = await startBackend(t, (_, response) => response.end(body))
  const target = bench.target(shadow.url)
  for (const same of [true, false]) {
    const { exchange, sink, ended } = bench.send(target, { compare: true })
    exchange.primaryStarts(200, '', null)
    for (let at = 0; at < body.length; at += 65536) exchange.primaryData(body.subarray(at, at + 65536))
    if (!same) exchange.primaryData(Buffer.from('.'))
    exchange.primaryEnds(1)
    await ended()
    t.equal(sink.calls[1], same ? 'matched' : 'mismatched: body')
    t.match(sink.difference?.primaryHash ?? '', same ? '' : /^[0-9a-f]{64}$/)
  }
})

testEngines(t, 'without a comparison nothing of the primary is wanted', async (t, bench) => {
  const shadow = await startBackend(t)
  const { exchange, sink, ended } = bench.send(bench.target(shadow.url))
  t.equal(exchange.wantsPrimary, false)
  exchange.primaryStarts(200, '', null)
  exchange.primaryData(Buffer.from('ok'))
  exchange.primaryEnds(1)
  exchange.primaryWhole(200, '', null, 'ok', 1)
  await ended()
  t.strictSame(sink.calls, ['answered: 200', 'not compared: off'])
})

testEngines(t, 'an end without a beginning is none', async (t, bench) => {
  const shadow = await startBackend(t)
  const { exchange, sink, ended } = bench.send(bench.target(shadow.url), { compare: true })
  exchange.primaryData(Buffer.from('ok'))
  exchange.primaryEnds(5)
  t.equal(exchange.wantsPrimary, true)
  exchange.primaryWhole(200, '', null, 'ok', 5)
  await ended()
  t.strictSame(sink.calls, ['answered: 200', 'matched'])
}, { only: 'inline' })

testEngines(t, 'once every copy has failed nothing of the primary is wanted', async (t, bench) => {
  const { exchange, sink, ended } = bench.send(bench.target(REFUSED.url), { compare: true })
  exchange.primaryStarts(200, '', [])
  exchange.primaryData(Buffer.from('ok'))
  await ended()
  t.equal(exchange.wantsPrimary, false)
  exchange.primaryData(Buffer.from('ok'))
  exchange.primaryEnds(1)
  exchange.primaryLost('primaryAborted')
  t.strictSame(sink.calls, ['failed: connect'])
})

const diff = { maxBodyCapture: 100_000, ignoreHeaders: ['content-type'], ignoreJsonFields: [], rules: [], origins: {}, redact: [] }

testEngines(t, 'in detail: each of several copies is compared with all of the primary\'s answer, in any order', async (t, bench) => {
  const bodies = ['{"a":1,"b":[1,2]}', '{"b":[1,2],"a":1}', '{"a":2,"b":[1,2]}']
  const shadows = await Promise.all(bodies.map(body => startBackend(t, (_, response) => {
    response.setHeader('content-type', 'application/json')
    response.setHeader('x-version', body === bodies[1] ? '2' : '1')
    response.end(body)
  })))
  const targets = shadows.map(({ url }) => bench.target(url, { diff }))
  targets.push(bench.target(REFUSED.url, { diff }))
  const headers = ['Content-Type', 'application/json', 'x-version', '1']
  for (const order of ['first', 'between', 'last']) {
    const { exchange, sinks, ended } = bench.send(targets, { compare: true })
    exchange.primaryStarts(200, '', headers)
    exchange.primaryData(Buffer.from('{"a":1,'))
    const primary = () => {
      exchange.primaryData(Buffer.from(' "b":[1,2]}'))
      exchange.primaryEnds(1)
    }
    if (order === 'first') primary()
    if (order === 'between') sinks[0].onAnswered = function (...args) { Object.getPrototypeOf(this).onAnswered.apply(this, args); primary() }
    if (order === 'last') {
      await until('all have ended', () => sinks.every(sink => sink.calls.length === 1))
      primary()
    }
    await ended()
    t.strictSame(sinks.map(sink => sink.calls[1]), ['matched', 'mismatched: headers', 'mismatched: body', undefined], order)
    t.match(sinks[1].difference?.headers, [{ name: 'x-version' }])
    t.match(sinks[2].difference?.body, { kind: 'json', differences: [{ pointer: '/a', primary: '1', shadow: '2' }] })
    await until('nothing is held', () => bench.engine.budget.used === 0)
  }
})

testEngines(t, 'in detail: headers of an answer that waits for the primary are counted, and not kept without memory', async (t, bench) => {
  const shadow = await startBackend(t, (_, response) => response.writeHead(200, { 'x-long': 'x'.repeat(10_000) }).end())
  const target = bench.target(shadow.url, { diff })
  const waiting = []
  for (let i = 0; i < 12; i++) {
    const sent = bench.send(target, { compare: true })
    await until('it is answered', () => sent.sink.answered)
    waiting.push(sent)
  }
  // The latest first, while the others hold the memory.
  for (const [index, { exchange, ended }] of [...waiting.entries()].reverse()) {
    exchange.primaryWhole(index === 9 || index === 10 ? 500 : 200, '', ['x-long', 'x'.repeat(10_000)], index === 9 ? 'other' : '', 1)
    await ended()
  }
  const outcomes = waiting.map(({ sink }) => sink.calls[1])
  t.equal(outcomes[0], 'matched')
  t.strictSame(outcomes.slice(9, 11), ['mismatched: status', 'mismatched: status'])
  t.strictSame(waiting[9].sink.difference?.body, { kind: 'hash', reason: 'memory' })
  t.equal(waiting[10].sink.difference?.body, null, 'which is known to be alike')
  t.equal(outcomes[11], 'not compared: memory')
  await until('nothing is held', () => bench.engine.bufferedBytes === 0)
}, { bytes: 100_000 })

testEngines(t, 'in detail: an answer that waits gives up its body before its headers', async (t, bench) => {
  // On a thread it lies in blocks of 32 KiB together.
  const body = 'x'.repeat(bench.engine.budget.limit - 9000)
  const shadow = await startBackend(t, (_, response) => response.writeHead(200, { 'x-long': 'x'.repeat(10_000) }).end(body))
  const { exchange, sink, ended } = bench.send(bench.target(shadow.url, { diff }), { compare: true })
  await until('it is answered', () => sink.answered)
  await until('its headers are held', () => bench.engine.bufferedBytes > 10_000 && bench.engine.bufferedBytes < 12_000)
  exchange.primaryWhole(200, '', ['x-long', 'y'], 'y', 1)
  await ended()
  t.equal(sink.calls[1], 'mismatched: headers')
  t.strictSame(sink.difference?.body, { kind: 'hash', reason: 'memory' })
}, { bytes: 80_000 })

testEngines(t, 'in detail: what is longer than is kept is compared by its hash', async (t, bench) => {
  const body = JSON.stringify({ a: 'x'.repeat(200_000) })
  const shadow = await startBackend(t, (_, response) => response.end(body))
  const target = bench.target(shadow.url, { diff })
  for (const other of ['{"a":1}', body]) {
    const { exchange, sink, ended } = bench.send(target, { compare: true })
    exchange.primaryWhole(200, '', ['content-type', 'application/json'], other === body ? other : Buffer.from(other), 1)
    await ended()
    t.equal(sink.calls[1], other === body ? 'matched' : 'mismatched: body')
    if (other !== body) t.strictSame(sink.difference?.body, { kind: 'hash', reason: 'too long' })
  }
})

testEngines(t, 'in detail: a primary that is lost is not held, though the copy goes on', async (t, bench) => {
  const hung = await startTcp(t, () => {})
  const { exchange } = bench.send(bench.target(hung.url, { diff }), { compare: true })
  exchange.primaryStarts(200, '', [])
  exchange.primaryData(Buffer.alloc(50_000))
  exchange.primaryLost('primaryAborted')
  await until('nothing is held', () => bench.engine.budget.used === 0)
})
