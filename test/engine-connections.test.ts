import t from 'tap'
import type { Test } from 'tap'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import http from 'node:http'
import http2 from 'node:http2'
import net from 'node:net'
import type { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import tls from 'node:tls'
import { Worker } from 'node:worker_threads'
import { lookups } from '../lib/engine/http/lookup'
import type { Pacer } from '../lib/engine/http/pacer'
import { startBackend, startTcp } from './helpers/backend'
import { testEngines } from './helpers/engine'
import type { Sent } from './helpers/engine'
import { activeResources, nothingLeft, watchProcess } from './helpers/process'
import { seeded } from './helpers/random'
import { cert, key } from './helpers/tls'
import { until } from './helpers/until'

const OK = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok'

/** A server that calls `answer` for each piece that it is sent. */
function answering (t: Test, answer: (socket: Socket, nth: number) => void) {
  let nth = 0
  return startTcp(t, socket => {
    socket.on('end', () => socket.end())
    socket.on('data', () => answer(socket, ++nth))
  })
}

// Which connection.

testEngines(t, 'a connection serves one copy after the other', async (t, bench) => {
  const shadow = await startBackend(t)
  const target = bench.target(shadow.url)
  for (let i = 0; i < 20; i++) {
    const { sink, ended } = bench.send(target, i % 2 === 0 ? {} : { method: 'POST', body: 'x' })
    await ended()
    t.equal(sink.fate, 'answered: 200')
  }
  t.equal(shadow.connections, 1)
})

testEngines(t, 'after a target is retired its connections carry nothing new, and end with their copies', async (t, bench) => {
  const held: Array<() => void> = []
  const ports: Array<number | undefined> = []
  const shadow = await startBackend(t, (request, response) => {
    ports.push(request.socket.remotePort)
    if (request.url === '/held') held.push(() => response.end('ok'))
    else response.end('ok')
  })
  const target = bench.target(shadow.url)
  const other = bench.target(shadow.url)
  await bench.send(other).ended()
  const under = bench.send(target, { path: '/held' })
  await until('one copy is there', () => held.length === 1)
  await bench.send(target).ended()
  t.equal(shadow.connections, 3)

  bench.engine.retire(target)
  const after = bench.send(target)
  await after.ended()
  t.equal(after.sink.fate, 'answered: 200')
  t.equal(shadow.connections, 4)
  held[0]()
  await under.ended()
  t.equal(under.sink.fate, 'answered: 200', 'what was under way is not cut')
  await until('the old connections are closed', () => shadow.sockets.size === 2)
  await bench.send(target).ended()
  t.equal(shadow.connections, 4, 'the new one serves on')
  await bench.send(other).ended()
  t.equal(shadow.connections, 4, 'another target is not concerned')
  t.strictSame([ports[3], ports[0]], [ports[4], ports[5]])
})

testEngines(t, 'a target can be retired while a copy waits for its connection', async (t, bench) => {
  const dead = bench.target('http://127.0.0.1:1', { timeout: 1000 })
  const refused = bench.send(dead)
  bench.engine.retire(dead)
  await refused.ended()
  t.match(refused.sink.fate, /connect/)
  const silent = await startTcp(t, socket => { socket.on('end', () => socket.end()).on('error', () => {}).resume() })
  const target = bench.target(silent.url, { timeout: 100 })
  const waiting = bench.send(target)
  await until('it is connected', () => silent.connections === 1)
  bench.engine.retire(target)
  await waiting.ended()
  t.match(waiting.sink.fate, /timeout/)
  await until('its connection is closed', () => silent.sockets.size === 0)
})

testEngines(t, 'what TLS has sent, and has not yet told of, does not cost its connection', async (t, bench) => {
  // It answers while this thread stands still, so that the answer is read before TLS tells of the request.
  const counts = new Int32Array(new SharedArrayBuffer(8))
  const shadow = new Worker(`
    const { parentPort, workerData: { counts, pair } } = require('node:worker_threads')
    const server = require('node:tls').createServer(pair, socket => {
      Atomics.add(counts, 0, 1)
      socket.on('error', () => {})
      socket.on('data', () => socket.write('HTTP/1.1 200 OK\\r\\ncontent-length: 2\\r\\n\\r\\nok', () => {
        Atomics.add(counts, 1, 1)
        Atomics.notify(counts, 1)
      }))
    })
    server.listen(0, '127.0.0.1', () => parentPort.postMessage(server.address().port))
  `, { eval: true, workerData: { counts, pair: { key, cert } } })
  t.teardown(() => shadow.terminate())
  const [port] = await once(shadow, 'message')
  const target = bench.target(`https://localhost:${port}`, { connect: { ca: cert } })
  for (let i = 0; i < 5; i++) {
    const { sink, ended } = bench.send(target)
    // Used again, a connection is looked at for a turn before the request is written.
    await setImmediate()
    if (i > 0) Atomics.wait(counts, 1, i, 10_000)
    await ended()
    t.equal(sink.fate, 'answered: 200')
  }
  t.equal(counts[0], 1, 'one for all of them')
}, { only: 'inline' })

testEngines(t, 'copies at the same time have a connection each, and of idle ones the last used comes first', async (t, bench) => {
  const waiting: Array<[Socket, () => void]> = []
  const shadow = await startBackend(t, (request, response) => {
    waiting.push([request.socket, () => response.end('ok')])
  })
  const target = bench.target(shadow.url)
  const first = [0, 1, 2].map(() => bench.send(target))
  await until('all are there', () => waiting.length === 3)
  t.equal(shadow.connections, 3)
  for (const i of [1, 0, 2]) {
    waiting[i][1]()
    await first[i].ended()
  }
  for (const i of [2, 2]) {
    const { ended } = bench.send(target)
    await until('it is there', () => waiting.length > 3)
    const [[socket, answer]] = waiting.splice(3)
    t.equal(socket, waiting[i][0])
    answer()
    await ended()
  }
  t.equal(shadow.connections, 3)
})

testEngines(t, 'a used connection that ends before any byte of an answer says nothing of the backend, a new one does', async (t, bench) => {
  const ends: Record<string, (socket: Socket) => void> = {
    closed: socket => socket.end(), reset: socket => socket.resetAndDestroy(), 'in the middle of a head': socket => socket.end('HTTP/1.1 2')
  }
  for (const [name, end] of Object.entries(ends)) {
    const served = new WeakSet<Socket>()
    const shadow = await answering(t, (socket, nth) => {
      if (nth === 1 || served.has(socket)) end(socket)
      else socket.write(OK)
      served.add(socket)
    })
    const target = bench.target(shadow.url)
    const fates = []
    for (let i = 0; i < 4; i++) {
      const { sink, ended } = bench.send(target, { method: 'POST', body: 'x' })
      await ended()
      fates.push(sink.fate)
      await until('what has ended is closed', () => sink.answered || shadow.sockets.size === 0)
    }
    const again = name.startsWith('in') ? 'failed: reset' : 'failed: staleConnection'
    t.strictSame(fates, ['failed: reset', 'answered: 200', again, 'answered: 200'], name)
    t.equal(shadow.connections, 3, 'nothing is sent again')
  }
})

testEngines(t, 'a connection that the backend closed between two requests is replaced', async (t, bench) => {
  const shadow = await answering(t, socket => socket.end(OK))
  const target = bench.target(shadow.url)
  for (let i = 1; i <= 3; i++) {
    const { sink, ended } = bench.send(target)
    await ended()
    t.equal(sink.fate, 'answered: 200')
    await until('it is closed', () => shadow.sockets.size === 0)
    t.equal(shadow.connections, i)
  }
})

testEngines(t, 'a backend that comes back is reached again', async (t, bench) => {
  const server = net.createServer(socket => { socket.on('data', () => socket.write(OK)).on('error', () => {}) })
  const sockets: Socket[] = []
  server.on('connection', socket => sockets.push(socket))
  t.teardown(() => { server.close(); for (const socket of sockets) socket.destroy() })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as net.AddressInfo
  const target = bench.target(`http://127.0.0.1:${port}`)
  for (const fate of ['answered: 200', 'failed: connect', 'answered: 200']) {
    if (fate === 'failed: connect') {
      server.close()
      for (const socket of sockets) socket.resetAndDestroy()
      await once(server, 'close')
    } else if (!server.listening) {
      server.listen(port, '127.0.0.1')
      await once(server, 'listening')
    }
    const { sink, ended } = bench.send(target)
    await ended()
    if (fate === 'failed: connect') t.match(sink.fate, /^failed: (connect|reset)$/)
    else t.equal(sink.fate, fate)
  }
})

testEngines(t, 'after a failure in the middle, the next copy has a connection of its own', async (t, bench) => {
  const shadow = await answering(t, (socket, nth) => {
    if (nth === 1) socket.write('HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\noh')
    else socket.write(OK)
  })
  const target = bench.target(shadow.url, { timeout: 1000 })
  const failing = bench.send(target)
  await failing.ended()
  t.equal(failing.sink.fate, 'failed: timeout')
  const { sink, ended } = bench.send(target)
  await ended()
  t.equal(sink.fate, 'answered: 200')
  t.equal(shadow.connections, 2)
})

testEngines(t, 'a copy that fails leaves no connection behind, and makes none', async (t, bench) => {
  const shadow = await answering(t, () => {})
  const target = bench.target(shadow.url, { timeout: 300 })
  for (let i = 1; i <= 3; i++) {
    const { ended } = bench.send(target)
    await until('it is there', () => shadow.connections === i)
    await ended()
    await until('it is closed', () => shadow.sockets.size === 0)
    for (let turn = 0; turn < 10; turn++) await setImmediate()
    t.equal(shadow.connections, i)
  }
})

// Where to.

testEngines(t, 'IPv6, names, and sockets that have a path', async (t, bench) => {
  // Not below this directory, whose path may be longer than that of a socket can be.
  const directory = mkdtempSync(join(tmpdir(), 'mirror-'))
  t.teardown(() => rmSync(directory, { recursive: true }))
  const path = join(directory, 'shadow.sock')
  const places: Array<[listen: net.ListenOptions, url: (port: number) => string, connect: Record<string, unknown>]> = [
    [{ host: '::1', port: 0 }, port => `http://[::1]:${port}`, {}],
    [{ host: '127.0.0.1', port: 0 }, port => `http://localhost:${port}`, {}],
    [{ path }, () => 'http://shadow.test', { socketPath: path }]
  ]
  for (const [listen, url, connect] of places) {
    const hosts: Array<string | undefined> = []
    const server = http.createServer((request, response) => {
      hosts.push(request.headers.host)
      response.end('ok')
    })
    t.teardown(() => { server.close(); server.closeAllConnections() })
    server.listen(listen)
    await once(server, 'listening')
    const address = server.address()
    const origin = url(typeof address === 'object' ? address?.port ?? 0 : 0)
    const { sink, ended } = bench.send(bench.target(origin, { connect }), { headers: ['host', 'shadow.test'] })
    await ended()
    t.equal(sink.fate, 'answered: 200', origin)
    t.strictSame(hosts, ['shadow.test'])
  }
})

testEngines(t, 'the address of this machine that connections come from', async (t, bench) => {
  const from: unknown[] = []
  const shadow = await startTcp(t, socket => {
    from.push(socket.remoteAddress)
    socket.on('data', () => socket.write(OK))
  })
  const { sink, ended } = bench.send(bench.target(shadow.url, { connect: { localAddress: '127.0.0.2' } }))
  await ended()
  t.equal(sink.fate, 'answered: 200')
  t.strictSame(from, ['127.0.0.2'])
})

/** A TLS server that answers, and notes which name each connection asked for. */
async function startTls (t: Test, host = '127.0.0.1') {
  const names: unknown[] = []
  const protocols: unknown[] = []
  const server = tls.createServer({ key, cert, ALPNProtocols: ['h2', 'http/1.1'] }, socket => {
    names.push(socket.servername)
    protocols.push(socket.alpnProtocol)
    socket.on('data', () => socket.write(OK)).on('error', () => {})
  })
  const sockets: Socket[] = []
  server.on('connection', (socket: Socket) => sockets.push(socket))
  server.on('tlsClientError', () => {})
  t.teardown(() => { server.close(); for (const socket of sockets) socket.destroy() })
  server.listen(0, host)
  await once(server, 'listening')
  return { port: (server.address() as net.AddressInfo).port, names, protocols, sockets }
}

/** Node 22.23.3 finds no address of IPv6 in any certificate; 20.20, 24.21 and 26.10 do. */
const verifiesIPv6 = tls.checkServerIdentity('::1', { subject: {}, subjectaltname: 'IP Address:::1' } as unknown as tls.PeerCertificate) === undefined

testEngines(t, 'the name that TLS asks for and verifies is the backend\'s, never the request\'s Host', async (t, bench) => {
  const cases: Array<{ host: string, connect: Record<string, unknown>, name?: string | false, fate?: string, code?: string }> = [
    { host: 'localhost', connect: { ca: cert }, name: 'localhost' },
    { host: '127.0.0.1', connect: { ca: cert, servername: 'shadow.test' }, name: 'shadow.test' },
    { host: 'localhost', connect: { ca: cert, servername: '' }, name: 'localhost' },
    // RFC 6066: an address is not a name that one can ask for. It is verified all the same.
    { host: '127.0.0.1', connect: { ca: cert }, name: false },
    { host: '[::1]', connect: { ca: cert }, name: false, code: verifiesIPv6 ? undefined : 'ERR_TLS_CERT_ALTNAME_INVALID' },
    { host: 'localhost', connect: { rejectUnauthorized: false }, name: 'localhost' },
    { host: 'localhost', connect: { ca: cert, servername: 'other.test' }, code: 'ERR_TLS_CERT_ALTNAME_INVALID' },
    { host: 'localhost', connect: {}, code: 'DEPTH_ZERO_SELF_SIGNED_CERT' }
  ]
  for (const { host, connect, name, code } of cases) {
    const { port, names, sockets } = await startTls(t, host === '[::1]' ? '::1' : '127.0.0.1')
    const target = bench.target(`https://${host}:${port}`, { connect })
    for (const asked of ['other.test', 'evil.test']) {
      const { sink, ended } = bench.send(target, { headers: ['host', asked] })
      await ended()
      t.equal(sink.fate, code === undefined ? 'answered: 200' : 'failed: connect', `${host} ${JSON.stringify(connect.servername)}`)
      t.equal(sink.error?.code, code)
    }
    if (code === undefined) {
      t.strictSame(names, [name])
      t.equal(sockets.length, 1, 'another Host is no reason for another connection')
    }
  }
})

testEngines(t, 'the protocol is HTTP/1.1, whatever else both sides could speak', async (t, bench) => {
  const { port, protocols } = await startTls(t)
  const target = bench.target(`https://localhost:${port}`, { connect: { ca: cert, allowH2: true } })
  const { sink, ended } = bench.send(target)
  await ended()
  t.equal(sink.fate, 'answered: 200')
  t.strictSame(protocols, ['http/1.1'])

  const server = http2.createSecureServer({ key, cert, allowHTTP1: false })
  const sockets: Socket[] = []
  server.on('connection', (socket: Socket) => sockets.push(socket))
  server.on('unknownProtocol', socket => socket.destroy())
  t.teardown(() => { server.close(); for (const socket of sockets) socket.destroy() })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const other = bench.target(`https://localhost:${(server.address() as net.AddressInfo).port}`, { connect: { ca: cert, allowH2: true } })
  const refused = bench.send(other)
  await refused.ended()
  t.match(refused.sink.fate, /^failed: (connect|reset)$/)
})

testEngines(t, 'what is undefined of the options of a connection is not given', async (t, bench) => {
  const looked: string[] = []
  const { lookup } = lookups
  t.intercept(lookups, 'lookup', {
    configurable: true,
    value: (...args: Parameters<typeof lookup>) => {
      looked.push(args[0])
      lookup(...args)
    }
  })
  const shadow = await startBackend(t)
  const target = bench.target(shadow.url.replace('127.0.0.1', 'localhost'), { connect: { lookup: undefined, timeout: undefined } })
  const { sink, ended } = bench.send(target)
  await ended()
  t.equal(sink.fate, 'answered: 200')
  t.strictSame(looked, ['localhost'], 'the plugin looks it up')
}, { only: 'inline' })

testEngines(t, 'a time of its own for connecting', async (t, bench) => {
  const stalled = await startTcp(t, socket => { socket.on('end', () => socket.end()).resume() })
  const target = bench.target(stalled.url.replace('http:', 'https:'), { connect: { timeout: 20 } })
  const { sink, ended } = bench.send(target)
  await ended()
  t.equal(sink.fate, 'failed: connect')
  t.equal(sink.error?.code, 'UND_ERR_CONNECT_TIMEOUT')
})

testEngines(t, 'options that no connection can be made with fail the copy alone', async (t, bench) => {
  const shadow = await startBackend(t)
  const broken = bench.target(shadow.url.replace('127.0.0.1', 'localhost'), { connect: { family: 5, autoSelectFamily: false } })
  const fine = bench.target(shadow.url.replace('127.0.0.1', 'localhost'))
  for (const [target, fate] of [[broken, 'failed: connect'], [fine, 'answered: 200'], [broken, 'failed: connect']]) {
    const { sink, ended } = bench.send(target)
    await ended()
    t.equal(sink.fate, fate)
  }
})

// The end.

testEngines(t, 'closing waits for what is under way, and no longer', async (t, bench) => {
  let answer: (() => void) | undefined
  const shadow = await startBackend(t, (_, response) => { answer = () => response.end('ok') })
  const { sink } = bench.send(bench.target(shadow.url))
  await until('it is there', () => answer !== undefined)
  const started = performance.now()
  const closing = bench.engine.close(60_000)
  answer?.()
  await closing
  t.ok(performance.now() - started < 30_000)
  t.equal(sink.fate, 'answered: 200')
  await until('the connection is closed', () => shadow.sockets.size === 0)
}, { own: true })

testEngines(t, 'closing cuts what is not done in time, wherever it is', async (t, bench) => {
  const hung = await startTcp(t, socket => { socket.on('end', () => socket.destroy()).resume() })
  const answered = await startBackend(t)
  const plain = bench.target(hung.url)
  const connecting = bench.send(bench.target(hung.url.replace('http:', 'https:')))
  const waiting = bench.send(plain)
  const uploading = bench.send(plain, { method: 'POST', upload: true })
  uploading.exchange.write(Buffer.from('some'))
  await until('all are there', () => hung.connections === 3)
  const comparing = bench.send(bench.target(answered.url), { compare: true })
  await until('one is answered', () => comparing.sink.answered)
  const unsent = bench.send(plain, { method: 'POST', upload: true })
  unsent.exchange.write(Buffer.from('some'))
  const started = performance.now()
  await bench.engine.close(40)
  t.ok(performance.now() - started >= 38)
  for (const { sink } of [connecting, waiting, uploading, unsent]) {
    t.strictSame(sink.calls, ['failed: aborted'])
    t.match(sink.error?.message, /closing|ended/)
  }
  t.ok(comparing.sink.calls.length < 3)
  await until('the connections are closed', () => hung.sockets.size === 0)
  await bench.engine.close(40)
}, { own: true })

testEngines(t, 'closing at once does not send what was not sent', async (t, bench) => {
  const shadow = await startTcp(t, () => {})
  const target = bench.target(shadow.url)
  // Here, the time for closing is over before the turn in which the copy would be sent.
  await setImmediate()
  const { exchange, sink } = bench.send(target, { method: 'POST', upload: true })
  exchange.write(Buffer.from('some'))
  const closing = bench.engine.close(0)
  for (const end = performance.now() + 5; performance.now() < end;);
  await closing
  t.equal(sink.fate, 'failed: aborted')
  exchange.end()
  for (let turn = 0; turn < 10; turn++) await setImmediate()
  t.equal(shadow.connections, 0)
}, { own: true, only: 'inline' })

testEngines(t, 'stopped, nothing is taken, and what is under way goes on', async (t, bench) => {
  const shadow = await startBackend(t)
  t.equal(bench.engine.refusal(), null)
  const { sink, ended } = bench.send(bench.target(shadow.url))
  bench.engine.stop()
  t.equal(bench.engine.refusal(), 'closing')
  await ended()
  t.equal(sink.fate, 'answered: 200')
}, { own: true, only: 'inline' })

t.test('closed, it leaves nothing behind', async t => {
  const base = activeResources()
  t.test('among all kinds of ends', async t => {
    testEngines(t, 'ends', async (t, bench) => {
      const shadow = await startBackend(t)
      const hung = await startTcp(t, socket => { socket.on('end', () => socket.destroy()).resume() })
      const fine = bench.target(shadow.url)
      const stuck = bench.target(hung.url, { timeout: 30 })
      const sent = [bench.send(fine), bench.send(stuck), bench.send(fine, { method: 'POST', body: 'x' })]
      for (const { ended } of sent) await ended()
      bench.send(stuck)
      await bench.engine.close(0)
    }, { own: true })
  })
  await nothingLeft(base)
})

// The pace. With a pacer of the test's own, an answer can be held at any place.

/** Has room for one piece, until `letGo`. */
class Hold {
  held: Array<() => void> = []
  open = false
  #spent = false

  get room (): boolean {
    return this.open || !this.#spent
  }

  spend (): void {
    this.#spent = true
  }

  /** On a busy machine a short answer may count as a long one, and wait again. */
  wait (resume: () => void): void {
    if (this.open) globalThis.setImmediate(resume)
    else this.held.push(resume)
  }

  letGo (): void {
    this.open = true
    for (const resume of this.held.splice(0)) resume()
  }
}

/** The client's end of each connection that is made while the test runs. */
function clientSockets (t: Test): Socket[] {
  const sockets: Socket[] = []
  const note = (message: unknown) => { sockets.push((message as { socket: Socket }).socket) }
  subscribe('net.client.socket', note)
  t.teardown(() => { unsubscribe('net.client.socket', note) })
  return sockets
}

function holding (target: unknown): Hold {
  const hold = new Hold()
  ;(target as { connections: { pacer: Pick<Pacer, 'room' | 'spend' | 'wait'> } }).connections.pacer = hold
  return hold
}

const length = 150_000
const body = Buffer.alloc(length, 'x')
const framings: Record<string, Array<string | Buffer>> = {
  'no length': ['HTTP/1.1 200 OK\r\n\r\n', body],
  'a length': [`HTTP/1.1 200 OK\r\ncontent-length: ${length}\r\n\r\n`, body],
  'a length and close': [`HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: ${length}\r\n\r\n`, body],
  chunks: [`HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n${length.toString(16)}\r\n`, body, '\r\n0\r\n\r\n']
}

testEngines(t, 'an answer that is held back is whole, though its connection ends meanwhile', async (t, bench) => {
  const faults = watchProcess(t)
  for (const [framing, pieces] of Object.entries(framings)) {
    for (const size of [length, 10]) {
      // A head and ten bytes are one piece.
      const held = size === length
      const shadow = await answering(t, socket => {
        for (const piece of pieces) socket.write(typeof piece === 'string' ? piece.replaceAll(String(length), String(size)).replace(length.toString(16), size.toString(16)) : piece.subarray(0, size))
        socket.end()
      })
      const sockets = clientSockets(t)
      const target = bench.target(shadow.url)
      const hold = holding(target)
      const { exchange, sink, ended } = bench.send(target, { compare: true })
      exchange.primaryWhole(200, '', null, body.subarray(0, size), 1)
      await until('it is held, or done', () => held ? hold.held.length > 0 : sink.answered)
      const [client] = sockets
      await until('as much is buffered as may be', () => {
        return sink.done || client.readableLength >= client.readableHighWaterMark || (client as unknown as { _readableState: { ended: boolean } })._readableState.ended
      })
      hold.letGo()
      await ended()
      t.strictSame(sink.calls, ['answered: 200', 'matched'], `${framing}, ${size} bytes`)
    }
  }
  t.strictSame(faults, [])
}, { only: 'inline' })

testEngines(t, 'an answer that is held back fails, and nothing else, when its connection breaks', async (t, bench) => {
  const faults = watchProcess(t)
  for (const [framing, pieces] of Object.entries(framings)) {
    let server: Socket | undefined
    const shadow = await answering(t, socket => {
      server = socket
      for (const piece of pieces.slice(0, 2)) socket.write(typeof piece === 'string' ? piece : piece.subarray(0, 10_000))
    })
    const sockets = clientSockets(t)
    const target = bench.target(shadow.url)
    const hold = holding(target)
    const { sink, ended } = bench.send(target)
    await until('it is held', () => hold.held.length > 0)
    const [client] = sockets
    await until('all is there', () => client.bytesRead >= 10_000)
    server?.resetAndDestroy()
    await until('the end is noticed', () => client.destroyed || client.readableLength === 0)
    hold.letGo()
    await ended()
    if (framing !== 'no length') t.equal(sink.fate, 'failed: body', framing)
    else t.match(sink.fate, /failed: body|answered: 200/, framing)
  }
  t.strictSame(faults, [])
}, { only: 'inline' })

testEngines(t, 'an answer that is held back times out like any other', async (t, bench) => {
  const faults = watchProcess(t)
  const shadow = await answering(t, socket => { socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${length}\r\n\r\n`); socket.write(body) })
  const target = bench.target(shadow.url, { timeout: 400 })
  const hold = holding(target)
  const { sink, ended } = bench.send(target)
  await ended()
  t.equal(sink.fate, 'failed: timeout')
  await until('its connection is closed', () => shadow.sockets.size === 0)
  hold.letGo()
  await setImmediate()
  t.strictSame(faults, [])
}, { only: 'inline' })

testEngines(t, 'what comes unasked on an idle connection is never the next answer, whatever the pace', async (t, bench) => {
  const shadow = await answering(t, (socket, nth) => {
    socket.write(nth === 1 ? OK : OK.replace('200', '201'))
  })
  const target = bench.target(shadow.url)
  const hold = holding(target)
  const first = bench.send(target)
  await first.ended()
  t.equal(hold.room, false, 'its share is spent')
  for (const socket of shadow.sockets) socket.write(OK.replace('200', '500'))
  const next = bench.send(target)
  await until('it has a connection of its own', () => shadow.connections === 2)
  hold.letGo()
  await next.ended()
  t.equal(next.sink.fate, 'answered: 201')
  t.equal(shadow.connections, 2)
}, { only: 'inline' })

testEngines(t, 'answers at full speed share each turn of the event loop, and none is left out', async (t, bench) => {
  const size = 3_000_000
  const shadow = await startBackend(t, (_, response) => response.end(Buffer.alloc(size)))
  const target = bench.target(shadow.url)
  const sent = Array.from({ length: 8 }, () => bench.send(target))
  for (const { ended } of sent) await ended()
  for (const { sink } of sent) t.equal(sink.fate, 'answered: 200')
})

testEngines(t, 'an answer in chunks of one byte, or after many interim ones, lets the loop go on with other things', async (t, bench) => {
  const chunks = 100_000
  const shadow = await answering(t, socket => {
    socket.write('HTTP/1.1 103 E\r\n\r\n'.repeat(200))
    socket.write('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n' + '1\r\nx\r\n'.repeat(chunks) + '0\r\n\r\n')
  })
  const { exchange, sink, ended } = bench.send(bench.target(shadow.url), { compare: true })
  exchange.primaryWhole(200, '', null, 'x'.repeat(chunks), 1)
  const utilization = performance.eventLoopUtilization()
  await ended()
  t.strictSame(sink.calls, ['answered: 200', 'matched'])
  t.ok(performance.eventLoopUtilization(utilization).idle > 0)
})

testEngines(t, 'interim answers without end are no answer', async (t, bench) => {
  const shadow = await answering(t, socket => socket.write('HTTP/1.1 103 E\r\nlink: </a>\r\n\r\n'.repeat(300) + OK))
  const { sink, ended } = bench.send(bench.target(shadow.url))
  await ended()
  t.equal(sink.fate, 'failed: reset')
  t.match(sink.error, /interim/)
  await until('its connection is closed', () => shadow.sockets.size === 0)
})

// All of it.

testEngines(t, 'whatever backends, clients and primaries do at random, each copy ends once and frees all', async (t, bench) => {
  const faults = watchProcess(t)
  const random = seeded(5)
  const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)]
  const behaviours: Array<(socket: Socket) => void> = [
    socket => socket.write(OK),
    socket => socket.write(OK),
    socket => socket.write(OK),
    socket => socket.end(OK),
    socket => socket.write(OK + OK),
    socket => socket.end('HTTP/1.0 200 OK\r\n\r\nok'),
    socket => socket.write('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n'),
    socket => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 200000\r\n\r\n' + 'x'.repeat(200_000)),
    socket => socket.end('HTTP/1.1 200 OK\r\n\r\n' + 'x'.repeat(200_000)),
    socket => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nok'),
    // Node leaves the handle open where a reset meets an end.
    socket => socket.writableEnded ? socket.destroy() : socket.resetAndDestroy(),
    socket => socket.destroy(),
    socket => socket.write('nonsense\r\n\r\n'),
    socket => socket.pause(),
    () => {}
  ]
  const shadows = await Promise.all([0, 1].map(() => answering(t, socket => pick(behaviours)(socket))))
  const targets = [
    ...shadows.map(({ url }) => bench.target(url, { timeout: 40, maxBacklogBytes: 300_000 })),
    bench.target(shadows[0].url.replace('http:', 'https:'), { timeout: 40 }),
    bench.target(shadows[1].url, { timeout: 40, diff: { maxBodyCapture: 100_000, ignoreHeaders: [], ignoreJsonFields: [], rules: [], origins: {}, redact: [] } })
  ]
  async function one (): Promise<void> {
    const upload = random() < 0.5
    const compare = random() < 0.5
    const chosen = targets.filter(() => random() < 0.5)
    const sent: Sent = bench.send(chosen.length === 0 ? targets : chosen, {
      method: upload ? 'POST' : 'GET', upload, compare
    })
    const { exchange } = sent
    if (compare && random() < 0.3) exchange.primaryWhole(200, '', [], pick(['ok', 'no']), 1)
    else if (compare) exchange.primaryStarts(200, '', [])
    for (let pieces = upload ? Math.floor(random() * 6) : 0; pieces > 0; pieces--) {
      exchange.write(Buffer.alloc(Math.floor(random() ** 3 * 200_000)))
      exchange.primaryData(Buffer.alloc(Math.floor(random() * 1000)))
      if (random() < 0.5) await setImmediate()
    }
    if (random() < 0.2) exchange.cut()
    else exchange.end()
    if (random() < 0.7) exchange.primaryEnds(1)
    else exchange.primaryLost('primaryAborted')
    if (random() < 0.5) await sent.ended()
  }
  for (let round = 0; round < 20; round++) {
    await Promise.all(Array.from({ length: 10 }, one))
  }
  t.strictSame(faults, [])
}, { bytes: 2 * 1024 * 1024 })
