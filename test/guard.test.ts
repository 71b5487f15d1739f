import type { Socket } from 'node:net'
import { once } from 'node:events'
import { IncomingMessage } from 'node:http'
import zlib from 'node:zlib'
import t from 'tap'
import { BodyComparer } from '../lib/compare/bodies'
import { Decoder } from '../lib/compare/decode'
import { mentions } from '../lib/compare/secrets/text'
import { Backlog } from '../lib/engine/upload/backlog'
import { Upload } from '../lib/engine/upload/upload'
import { Budget } from '../lib/engine/budget'
import { CopyBody } from '../lib/engine/upload/copy-body'
import { Deadlines } from '../lib/engine/deadlines'
import { InlineEngine } from '../lib/engine/inline'
import { LoopClock } from '../lib/engine/loop-clock'
import { Pacer } from '../lib/engine/http/pacer'
import { ThreadEngine } from '../lib/engine/thread/main-engine'
import { ThreadExchange } from '../lib/engine/thread/main-exchange'
import type { Host } from '../lib/engine/thread/worker-host'
import { RemoteSink } from '../lib/engine/thread/worker-sink'
import type { SinkHost } from '../lib/engine/thread/worker-sink'
import { Outbox } from '../lib/engine/thread/outbox'
import { ToThread } from '../lib/engine/thread/protocol'
import { Guard, UNTOLD, door } from '../lib/guard'
import type { Holder } from '../lib/guard'
import { fieldFault } from '../lib/compare/rules/notation'
import { SecretNames } from '../lib/secrets'
import { tapRequestBody, untapRequestBody } from '../lib/tap/request-body'
import type { BodyListener } from '../lib/tap/request-body'
import { startBackend } from './helpers/backend'
import { RecordingSink } from './helpers/engine'
import { inProcess } from './helpers/in-process'
import { ruleSet } from './helpers/rules'
import { until } from './helpers/until'

const boom = (): never => { throw new Error('boom') }

t.test('what throws behind the guard is told, and its holder lets go', async t => {
  const told: unknown[] = []
  const guard = new Guard((error, mirrorId) => { told.push([(error as Error).message, mirrorId]) })
  t.teardown(() => guard.close())
  let failures = 0
  const holder: Holder & { failing: number } = {
    mirrorId: 'm',
    failing: 0,
    fail () {
      failures++
      if (this.failing-- > 0) throw new Error('fails, too')
    }
  }
  t.equal(guard.enter(holder, (_, a: number, b: number, c: number) => a + b + c, 1, 2, 3), 6)
  t.equal(failures, 0)

  t.equal(guard.enter(holder, boom), undefined)
  t.strictSame([failures, told.splice(0)], [1, [['boom', 'm']]])
  holder.failing = 1
  guard.enter(holder, boom)
  t.strictSame([failures, told.splice(0).length], [3, 2], 'asked again where it throws itself')
  holder.failing = 2
  guard.enter(holder, boom)
  t.strictSame([failures, told.splice(0).length, guard.caught], [5, 3, 6], 'and no more than that')
})

t.test('a report that throws reaches nobody', async t => {
  const guard = new Guard(boom)
  t.teardown(() => guard.close())
  guard.enter({ fail () {} }, boom)
  t.equal(guard.caught, 1)
  door(boom)()
  t.equal(guard.caught, 2, 'what belongs to no guard is told to all')
})

t.test('timers go on when what they call throws', async t => {
  let now = 0
  const expired: number[] = []
  const item = (deadline: number) => ({ deadline, earlier: null, later: null, fail () {}, onDeadline () { expired.push(deadline) } })
  const deadlines = new Deadlines<ReturnType<typeof item>>(1, { now: () => now })
  t.teardown(() => deadlines.close())
  deadlines.start(item(0))
  deadlines.fail()
  now = 100
  await until('it expires all the same', () => expired.length === 1)
  deadlines.fail()

  const pacer = new Pacer()
  const resumed: string[] = []
  pacer.wait(() => resumed.push('long'), true)
  pacer.wait(() => resumed.push('short'), false)
  pacer.fail()
  await until('both go on', () => resumed.length === 2)
  pacer.fail()
})

t.test('a connection that fails without a copy is ended', async t => {
  const engine = new InlineEngine(new Budget(0))
  t.teardown(() => engine.close(0))
  const target = engine.addTarget({
    origin: 'http://127.0.0.1:1', connect: {}, timeout: 1000, bodyTimeout: 1000, maxBacklogBytes: 1, diff: null, maxCoded: 0
  })
  const connection = target.connections.acquire()
  connection.fail(new Error('boom'))
  t.ok(connection.dead && connection.client.destroyed)
})

t.test('a body whose next piece can not be had never seems to end', async t => {
  let failed: unknown
  const sender = { guard: UNTOLD, flushed: true, advanced: boom, fail (error: unknown) { failed = error } }
  const backlog = new Backlog(new Budget(100_000), 0)
  backlog.append(Buffer.from('some'))
  const body = new CopyBody(backlog, sender)
  await body.next()
  let ended = false
  body.next().then(() => { ended = true }, () => { ended = true })
  await new Promise(setImmediate)
  t.match(failed, { message: 'boom' })
  t.notOk(ended)
})

t.test('a body of which a copy can not be looked at for a fault of our own', async t => {
  let failed: unknown
  const copy = { copy: { running: true, ended: false }, hold: () => true, wake () {}, fellBehind: boom }
  const backlog = new Backlog(new Budget(100_000), 0)
  const owner = { fail (error: unknown) { failed = error } }
  const upload = new Upload(owner, backlog, new Deadlines(1000, new LoopClock()), UNTOLD, upload => {
    UNTOLD.enter(upload, () => upload.giveUpSlow())
  })
  upload.add(copy as never)
  upload.write(Buffer.from('some'))
  t.match(failed, { message: 'boom' }, 'whoever has it lets go of it')
  backlog.dispose()
})

t.test('a thread that can not send what it has collected tries again', async t => {
  const shadow = await startBackend(t)
  let lost = 0
  const thread = inProcess({ maxBufferedBytes: 1e6 })
  const engine = new ThreadEngine(1e6, () => {}, () => thread)
  t.teardown(() => engine.close(0))
  const { host } = thread as unknown as { host: Host }
  const { flush } = host
  host.flush = () => {
    host.flush = flush
    lost++
    boom()
  }
  const limits = { timeout: 10_000, bodyTimeout: 10_000, maxBacklogBytes: 1e6, maxCoded: 1e6 }
  const target = engine.addTarget({ origin: shadow.url, connect: {}, diff: null, ...limits })
  const sink = new RecordingSink()
  engine.open({
    method: 'GET', backlog: null, length: 0, compare: false, copies: [{ target, head: { path: '/', headers: [] }, sink }], repeat: null
  })
  await until('the copy is answered', () => sink.answered)
  t.equal(lost, 1)
})

t.test('a thread that can not read a message ends, so that another begins anew', async t => {
  const thread = inProcess({ maxBufferedBytes: 1e6 })
  const ended = once(thread, 'exit')
  thread.postMessage(null as never)
  t.strictSame(await ended, [0])
})

t.test('a chunk that may be kept as it is, and for which there is no memory', async t => {
  const backlog = new Backlog(new Budget(10), 0)
  backlog.fixed = true
  t.notOk(backlog.append(Buffer.alloc(10_000)))
})

t.test('a body that can not be decoded for a fault of our own', async t => {
  const comparer = new BodyComparer({
    limit: -1, memory: new Budget(1000), redactor: { isSecret: () => false, json: () => '' } as never
  })
  const body = { bytes: zlib.gzipSync('{"a":1}'), contentType: 'application/json', contentEncoding: 'gzip' }
  const outcome = await new Promise(resolve => comparer.compare(body, { ...body, bytes: zlib.gzipSync('{"a":2}') }, ruleSet(), resolve))
  t.strictSame(outcome, { outcome: 'unknown', reason: 'error' })
})

t.test('whoever is told of a decoded body throws, and is told again', async t => {
  const told: unknown[] = []
  new Decoder().decode(zlib.gzipSync('x'), 'gzip', 1000, decoded => {
    if (told.push(String(decoded)) === 1) throw new Error('boom')
  })
  await until('it is told twice', () => told.length === 2)
  t.strictSame(told, ['x', 'error'])
})

t.test('what a thread tells of a copy, after it failed', async t => {
  const ops: unknown[] = []
  const host = { batch: 0, ops, writable: () => ops, forget () {} }
  const sink = new RemoteSink(host as SinkHost, 1, 0, { open: 1 })
  sink.onAnswered(200, 5)
  sink.fail(new Error('boom'))
  const { length } = ops
  sink.onCompared(null, null)
  sink.onNotCompared('off')
  t.equal(ops.length, length)
  t.equal(ops.at(-1), 'error')
})

t.test('an exchange on a thread, of which something failed', async t => {
  const outbox = new Outbox()
  let forgotten = 0
  const line = {
    guard: UNTOLD, clock: new LoopClock(), budget: new Budget(1000), outbox, schedule () {}, take: () => null, forget () { forgotten++ }
  }
  const sink = new RecordingSink()
  const copies = [{ target: 0, head: { path: '/', headers: [] }, sink }]
  const init = { method: 'GET', backlog: null, length: 0, compare: true, copies, repeat: null }
  const exchange = new ThreadExchange(1, line, init)
  exchange.fail('text')
  t.strictSame(outbox.ops.slice(-3), [ToThread.Fail, 1, 'text'])
  exchange.answered(0)
  exchange.die(new Error('gone'), true)
  t.strictSame(sink.calls, ['not compared: closing'])
  exchange.fail('too late')
  exchange.lose(0, new Error('boom'))
  t.strictSame([sink.calls.length, forgotten], [2, 1])
})

t.test('who no longer hears a request is left out, wherever it stands', async t => {
  const heard: string[] = []
  const listener = (name: string): BodyListener => ({
    guard: UNTOLD, nextListener: null, fail () {}, onBodyData () { heard.push(name) }, onBodyEnd () {}
  })
  const raw = new IncomingMessage(null as unknown as Socket)
  const listeners = ['first', 'second', 'third'].map(listener)
  for (const one of listeners) tapRequestBody(raw, one)
  untapRequestBody(raw, listeners[1])
  raw.push('x')
  t.strictSame(heard.sort(), ['first', 'third'])
  for (const one of listeners) untapRequestBody(raw, one)
  untapRequestBody(raw, listeners[0])
  raw.push('y')
  t.equal(heard.length, 2)
})

t.test('what is odd, and bounded', async t => {
  t.notOk(mentions(`${'long '.repeat(2)}${'x'.repeat(300)}`, new SecretNames([])), 'a long word at the end names nothing')
  t.match(fieldFault('/a.b[0]/c'), /write "\/a\.b\/0\/c"/)
})
