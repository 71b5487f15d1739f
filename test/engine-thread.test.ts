import t from 'tap'
import { EventEmitter } from 'node:events'
import { setTimeout } from 'node:timers/promises'
import type { Worker } from 'node:worker_threads'
import { ThreadEngine } from '../lib/engine/thread/main-engine'
import { Restarts } from '../lib/engine/thread/main-restarts'
import { workerOptions } from '../lib/engine/thread/main-start'
import type { StartThread } from '../lib/engine/thread/main-engine'
import type { Thread } from '../lib/engine/thread/main-start'
import { joinHeaders, splitHeaders } from '../lib/engine/thread/headers'
import { Outbox } from '../lib/engine/thread/outbox'
import { FromThread, ToThread } from '../lib/engine/thread/protocol'
import type { MessageToThread, ThreadData } from '../lib/engine/thread/protocol'
import type { Engine } from '../lib/engine/types'
import { REFUSED, startBackend, startTcp } from './helpers/backend'
import { send } from './helpers/engine'
import { inProcess } from './helpers/in-process'
import { watchProcess } from './helpers/process'
import { until } from './helpers/until'

const MIB = 1024 * 1024
const OPTIONS = { connect: {}, timeout: 10_000, bodyTimeout: 10_000, maxBacklogBytes: MIB, diff: null, maxCoded: MIB }

/** The other side on this thread, with `hear` told of the operations of each batch that goes to it. */
function overheard (data: ThreadData, hear: (ops: unknown[]) => void): EventEmitter & Thread {
  const thread = inProcess(data)
  const { postMessage } = thread
  thread.postMessage = (message: MessageToThread, ...rest) => {
    if ('batch' in message) hear(message.batch.ops)
    postMessage(message, ...rest)
  }
  return thread
}

/** A thread that hears everything and does nothing. */
function stuck (heard: unknown[] = []): StartThread {
  return () => Object.assign(new EventEmitter(), {
    postMessage: (message: unknown) => { heard.push(message) },
    unref: () => {},
    terminate: async () => 0
  }) as EventEmitter & Thread
}

t.test('every operation crosses both ways', async t => {
  const backend = await startBackend(t, (request, response) => {
    if (request.url === '/reset') request.socket.destroy()
    else response.end('ok')
  })
  const engine = new ThreadEngine(64 * MIB, () => t.fail('it does not die'), inProcess)
  const target = engine.addTarget({ origin: backend.url, ...OPTIONS })
  const other = engine.addTarget({ origin: backend.url, ...OPTIONS, diff: { maxBodyCapture: MIB, ignoreHeaders: [], ignoreJsonFields: [], rules: [], origins: {}, redact: [] } })

  const whole = send(engine as Engine, [target, target], { method: 'POST', body: 'hello', compare: true })
  whole.exchange.primaryWhole(200, '', null, 'ok', 1)
  const bytes = send(engine as Engine, [target], { compare: true })
  bytes.exchange.primaryWhole(200, '', null, Buffer.from('other'), NaN)
  const streamed = send(engine as Engine, [other], { method: 'POST', upload: true, compare: true })
  streamed.exchange.write(Buffer.from('he'))
  streamed.exchange.write(Buffer.from('llo'))
  streamed.exchange.end()
  streamed.exchange.primaryStarts(200, '', ['x-only-there', '1'])
  streamed.exchange.primaryData(Buffer.from('o'))
  streamed.exchange.primaryData(Buffer.from('k'))
  streamed.exchange.primaryEnds(2)
  const lost = send(engine as Engine, [target], { compare: true })
  lost.exchange.primaryLost('hijacked')
  const cut = send(engine as Engine, [target], { method: 'POST', upload: true, length: 5 })
  cut.exchange.cut()
  const refused = send(engine as Engine, [target], { path: 'no slash' })
  const reset = send(engine as Engine, [target], { path: '/reset' })
  for (const sent of [whole, bytes, streamed, lost, cut, refused, reset]) await sent.ended()

  t.same(whole.sinks.map(sink => sink.calls), [['answered: 200', 'matched'], ['answered: 200', 'matched']])
  t.ok(whole.sink.latency === null || whole.sink.latency.primary === 1, 'unless the loop was blocked')
  t.same(bytes.sink.calls, ['answered: 200', 'mismatched: body'])
  t.equal(bytes.sink.latency, null)
  t.same(streamed.sink.calls, ['answered: 200', 'mismatched: headers'])
  t.match(streamed.sink.difference?.headers, [{ name: 'x-only-there', primary: ['1'], shadow: [] }])
  t.same(lost.sink.calls, ['answered: 200', 'not compared: hijacked'])
  t.same(cut.sink.calls, ['failed: aborted'])
  t.same(refused.sink.calls, ['refused'])
  t.match(refused.sink.error, { code: 'UND_ERR_INVALID_ARG' })
  t.same(reset.sink.calls, ['failed: reset'])
  t.same(backend.requests.filter(({ url }) => url === '/').map(({ body }) => String(body)).sort(), ['', '', 'hello', 'hello', 'hello'])

  for (const { exchange } of [whole, streamed, lost, cut]) {
    // What is told after the end goes nowhere.
    exchange.write(Buffer.from('late'))
    exchange.end()
    exchange.cut()
    exchange.primaryWhole(200, '', null, 'late', 1)
    exchange.primaryStarts(200, '', null)
    exchange.primaryData(Buffer.from('late'))
    exchange.primaryEnds(1)
    exchange.primaryLost('untapped')
  }
  await engine.close(100)
  t.equal(engine.budget.used, 0, 'the budget is free')
})

t.test('the id of an exchange that has ended is given again, and only then', async t => {
  const hung = await startTcp(t, () => {})
  const backend = await startBackend(t)
  const opened: unknown[] = []
  const engine = new ThreadEngine(64 * MIB, () => t.fail('it does not die'), data => overheard(data, ([op, id]) => {
    if (op === ToThread.Open) opened.push(id)
  }))
  t.teardown(() => engine.close(0))
  const toHung = engine.addTarget({ origin: hung.url, ...OPTIONS })
  const toBackend = engine.addTarget({ origin: backend.url, ...OPTIONS })

  const half = send(engine as Engine, [toBackend, toHung])
  await until('one of two copies has ended', () => half.sink.done)
  const first = send(engine as Engine, [toBackend], { method: 'POST', upload: true, compare: true, path: 'no slash' })
  first.exchange.write(Buffer.from('a'))
  await first.ended()
  const second = send(engine as Engine, [toBackend], { method: 'POST', upload: true, compare: true })
  const { exchange: late } = first
  late.write(Buffer.from('late'))
  late.primaryStarts(500, '', null)
  late.primaryData(Buffer.from('late'))
  late.primaryEnds(1)
  late.primaryWhole(500, '', null, 'late', 1)
  late.primaryLost('untapped')
  late.end()
  late.cut()
  second.exchange.write(Buffer.from('b'))
  second.exchange.end()
  await until('it is answered', () => second.sink.answered)
  second.exchange.primaryWhole(200, '', null, 'ok', 1)
  await second.ended()
  t.same(opened, [0, 1, 1])
  t.same(first.sink.calls, ['refused'])
  t.same(second.sink.calls, ['answered: 200', 'matched'])
  t.same(backend.requests.map(({ body }) => String(body)), ['', 'b'], 'what is told of the first no longer counts')
  half.exchange.cut()
  await half.ended()
  await send(engine as Engine, [toBackend]).ended()
  await send(engine as Engine, [toBackend]).ended()
  t.same(opened.slice(3), [0, 0])
})

t.test('a thread that dies: its copies are told, it is started again after a pause, and works', async t => {
  const hung = await startTcp(t, () => {})
  const backend = await startBackend(t)
  const workers: Array<EventEmitter & Thread> = []
  const deaths: Error[] = []
  const heard: unknown[][] = []
  const engine = new ThreadEngine(64 * MIB, error => deaths.push(error), data => {
    const batches: unknown[] = []
    heard.push(batches)
    const thread = overheard(data, ops => { batches.push(ops.slice(0, 3)) })
    workers.push(thread)
    return thread
  })
  t.teardown(() => engine.close(0))
  const toHung = engine.addTarget({ origin: hung.url, ...OPTIONS })
  const toBackend = engine.addTarget({ origin: backend.url, ...OPTIONS })
  const waiting = send(engine as Engine, [toHung], { method: 'POST', upload: true, compare: true })
  waiting.exchange.write(Buffer.alloc(1000))
  const comparing = send(engine as Engine, [toBackend, toHung], { compare: true })
  const refused = send(engine as Engine, [toBackend], { path: 'no slash' })
  await refused.ended()
  const half = send(engine as Engine, [engine.addTarget({ origin: REFUSED.url, ...OPTIONS }), toHung])
  await until('one of two copies has failed', () => half.sink.done)
  await until('an answer waits for the primary', () => comparing.sink.answered)

  const unheard = send(engine as Engine, [toBackend], { method: 'POST', body: 'not gone out yet' })
  const error = new Error('out of memory')
  workers[0].emit('error', error)
  workers[0].emit('exit', 1)
  t.same(waiting.sink.calls, ['failed: thread'])
  t.equal(waiting.sink.error, error)
  t.same(comparing.sinks.map(sink => sink.calls), [['answered: 200', 'not compared: thread'], ['failed: thread']])
  t.same(half.sinks.map(sink => sink.calls), [['failed: connect'], ['failed: thread']])
  t.same(unheard.sink.calls, ['failed: thread'])
  t.same(deaths, [error], 'told once')
  await workers[0].terminate()
  t.equal(engine.refusal(), 'thread')
  t.equal(engine.budget.used, 0)
  waiting.exchange.write(Buffer.from('to nobody'))
  const lost = engine.addTarget({ origin: backend.url, ...OPTIONS })
  engine.retire(lost)

  await until('the thread is there again', () => engine.refusal() === null)
  const first = send(engine as Engine, [toHung])
  const again = [toBackend, lost].map(target => send(engine as Engine, [target], { method: 'POST', body: 'x'.repeat(1000) }))
  for (const sent of again) await sent.ended()
  t.same(again.map(({ sink }) => sink.fate), ['answered: 200', 'answered: 200'], 'with every target')
  await until('the budget is free', () => engine.budget.used === 0)
  t.same(heard[1][0], [ToThread.Open, 0, 'GET'], 'nothing for the one before')

  const held = engine.bufferedBytes
  workers[0].emit('message', { ops: [FromThread.Failed, 0, 0, 'reset', 'last words', undefined], processed: 100, held: 5, slabs: [] })
  t.equal(engine.bufferedBytes, held)
  t.same(first.sink.calls, [], 'the last words of the one before are not about it')
})

t.test('a thread that can not be started again is tried again and again', async t => {
  const faults = watchProcess(t)
  const deaths: Error[] = []
  const workers: Array<EventEmitter & Thread> = []
  let starts = 0
  const engine = new ThreadEngine(64 * MIB, error => deaths.push(error), data => {
    starts++
    if (starts === 2 || starts === 3) throw new Error(`no more processes: ${starts}`)
    const thread = inProcess(data)
    workers.push(thread)
    return thread
  })
  t.teardown(() => engine.close(0))
  const target = engine.addTarget({ origin: (await startBackend(t)).url, ...OPTIONS })
  await workers[0].terminate()
  workers[0].emit('exit', 1)
  await until('it is tried again', () => starts === 2)
  t.equal(engine.refusal(), 'thread')
  await until('the thread is there again', () => engine.refusal() === null)
  t.same(deaths.map(({ message }) => message), ['the mirror\'s thread ended', 'no more processes: 2', 'no more processes: 3'])
  const sent = send(engine as Engine, [target])
  await sent.ended()
  t.equal(sent.sink.fate, 'answered: 200')
  t.same(faults, [])
})

t.test('threads that die at their start, one after another, are tried ever more rarely', async t => {
  const restarts = new Restarts()
  const next = (ran: number) => { const { pause, early, hopeless } = restarts.next(ran); return [pause, early, hopeless] }
  t.same(next(3_600_000), [1000, 1, false])
  t.same(next(100), [1000, 2, false])
  t.same(next(9_999), [2000, 3, true])
  t.same(next(0), [4000, 4, true])
  for (let i = 0; i < 10; i++) next(0)
  t.same(next(0), [60_000, 15, true], 'a minute at most')
  t.same(next(10_000), [1000, 1, false], 'one that ran well begins anew')
  t.same(next(0), [1000, 2, false])
})

t.test('a thread starts with what concerns its connections, and without the user\'s code', async t => {
  const options = (execArgv: string[], NODE_OPTIONS?: string, versions = {}) => {
    return workerOptions('worker.js', { execArgv, env: { A: 'a', NODE_OPTIONS }, versions: { node: '24.0.0', ...versions } }, name => `/${name}`)
  }
  t.strictSame(options([]), { execArgv: [], env: { A: 'a', NODE_OPTIONS: '' } })
  t.strictSame(options(
    ['--require', './a.cjs', '-r', 'b', '--import=c', '--loader', 'tsx', '--env-file=.env', '--inspect', '--max-old-space-size=100', '--max-http-header-size', '9']
  ).execArgv, ['--max-http-header-size', '9'])
  t.strictSame(options(['--tls-min-v1.3', '--no-network-family-autoselection', '--use-system-ca', '--permission', '--allow-fs-read=*', '--allow-worker']).execArgv, [
    '--tls-min-v1.3', '--no-network-family-autoselection', '--use-system-ca', '--permission', '--allow-fs-read=*', '--allow-worker'
  ])
  t.strictSame(options(['--use-system-ca'], undefined, { node: '22.19.0' }).execArgv, [], 'of the process there')
  t.strictSame(options(
    ['--tls-max-v1.2', 'x'], '--require "./a b.cjs" --allow-fs-read="/with \\"space" --dns-result-order ipv4first --import \'x\''
  ).execArgv, ['--allow-fs-read=/with "space', '--dns-result-order', 'ipv4first', '--tls-max-v1.2'])
  t.strictSame(options([], undefined, { pnp: '3' }).execArgv, ['--require', '/pnpapi'], 'Yarn finds what it requires')
  t.strictSame(workerOptions('worker.ts', process), {}, 'TypeScript needs its loader')
})

t.test('a real worker that is terminated fails its copies, and the next one works', async t => {
  const hung = await startTcp(t, () => {})
  const deaths: Error[] = []
  let worker: Worker | null = null
  const noted = (started: Worker) => { worker ??= started }
  process.once('worker', noted)
  const engine = new ThreadEngine(64 * MIB, error => deaths.push(error))
  t.teardown(() => engine.close(0))
  const target = engine.addTarget({ origin: hung.url, ...OPTIONS })
  const sent = send(engine as Engine, [target])
  await until('the copy is at the backend', () => hung.sockets.size === 1)
  await (worker as unknown as Worker).terminate()
  await sent.ended()
  t.same(sent.sink.calls, ['failed: thread'])
  t.equal(deaths.length, 1)
  await until('it runs again', () => engine.refusal() === null)
  const next = send(engine as Engine, [target])
  await until('the next copy is at the backend', () => hung.connections === 2)
  await engine.close(0)
  t.same(next.sink.calls, ['failed: aborted'])
})

t.test('a thread that falls behind gets no more, and what it was to get is told as lost', async t => {
  const heard: any[] = [] // eslint-disable-line @typescript-eslint/no-explicit-any -- what a stuck thread hears is looked into freely
  const engine = new ThreadEngine(64 * MIB, () => {}, stuck(heard))
  const target = engine.addTarget({ origin: 'http://127.0.0.1:1', ...OPTIONS })
  const upload = send(engine as Engine, [target], { method: 'POST', upload: true, compare: true })
  const download = send(engine as Engine, [target], { compare: true })
  const whole = send(engine as Engine, [target], { compare: true })
  download.exchange.primaryStarts(200, '', null)
  for (let i = 0; i < 16; i++) upload.exchange.write(Buffer.alloc(MIB))
  t.equal(engine.budget.used, 16 * MIB)
  upload.exchange.write(Buffer.alloc(1))
  upload.exchange.end()
  download.exchange.primaryData(Buffer.alloc(1))
  whole.exchange.primaryWhole(200, '', null, 'x', 1)
  t.equal(engine.budget.used, 16 * MIB, 'nothing more is held')
  t.notOk(download.exchange.wantsPrimary)
  await until('it goes out', () => heard.length === 2)
  const { ops, slabs } = heard[1].batch
  t.equal(ops.filter((op: unknown) => op === 'thread').length, 3, 'the body is given up, and the primary lost for both')
  const given = ops.findIndex((op: unknown, i: number) => op === ToThread.Overflow && ops[i + 1] === 0 && ops[i + 3] === ToThread.PrimaryLost)
  t.ok(given > 0, 'the body is given up')
  t.ok(slabs.length > 1 && slabs.every((slab: Uint8Array) => slab.length >= MIB))
  await engine.close(0)
  t.same([upload, download, whole].map(({ sink }) => sink.calls), Array(3).fill(['failed: aborted']))
  t.equal(engine.budget.used, 0)
})

t.test('one piece of any size goes to a thread that has nothing else to do', async t => {
  const engine = new ThreadEngine(64 * MIB, () => {}, stuck())
  const target = engine.addTarget({ origin: 'http://127.0.0.1:1', ...OPTIONS })
  const [large, small] = [send(engine as Engine, [target], { compare: true }), send(engine as Engine, [target], { compare: true })]
  large.exchange.primaryWhole(200, '', null, Buffer.alloc(20 * MIB), 1)
  t.equal(engine.budget.used, 20 * MIB)
  small.exchange.primaryWhole(200, '', null, 'x', 1)
  t.equal(engine.budget.used, 20 * MIB, 'but nothing beside it')
  await engine.close(0)
})

t.test('the budget bounds what is on its way', async t => {
  const engine = new ThreadEngine(4000, () => {}, stuck())
  const target = engine.addTarget({ origin: 'http://127.0.0.1:1', ...OPTIONS })
  const sent = send(engine as Engine, [target], { method: 'POST', upload: true, compare: true })
  sent.exchange.primaryStarts(200, '', null)
  sent.exchange.write(Buffer.alloc(1500))
  sent.exchange.primaryData(Buffer.alloc(1000))
  t.equal(engine.budget.used, 1500, 'half of it is this side\'s')
  t.notOk(sent.exchange.wantsPrimary)
  await engine.close(0)
})

t.test('a thread that answers no batch is sent no new copies', async t => {
  const heard: unknown[] = []
  const engine = new ThreadEngine(MIB, () => {}, stuck(heard))
  const target = engine.addTarget({ origin: 'http://127.0.0.1:1', ...OPTIONS })
  for (let batches = 1; batches <= 1001; batches++) {
    t.equal(engine.refusal(), null)
    send(engine as Engine, [target])
    await until('the batch is sent', () => heard.length === 1 + batches)
  }
  t.equal(engine.refusal(), 'thread')
  engine.stop()
  t.equal(engine.refusal(), 'closing')
  await engine.close(0)
})

t.test('what comes while a thread ends is not held', async t => {
  const engine = new ThreadEngine(MIB, () => {}, stuck())
  const { exchange } = send(engine as Engine, [engine.addTarget({ origin: 'http://127.0.0.1:1', ...OPTIONS })], { method: 'POST', upload: true })
  const closed = engine.close(0)
  for (let over = false; !over;) {
    exchange.write(Buffer.alloc(10))
    over = await Promise.race([closed.then(() => true), new Promise<false>(resolve => setImmediate(() => resolve(false)))])
  }
  t.equal(engine.budget.used, 0)
})

t.test('closing a thread that is gone waits for nothing', async t => {
  let thread: EventEmitter & Thread | undefined
  const engine = new ThreadEngine(MIB, () => {}, data => {
    const started = inProcess(data)
    thread = started
    return started
  })
  thread?.emit('exit', 1)
  t.equal(engine.take(10), null)
  engine.schedule()
  await thread?.terminate()
  await until('what can not be sent is not held', () => engine.budget.used === 0)
  await engine.close(0)
  t.equal(engine.refusal(), 'closing', 'and it stays so')
})

t.test('headers cross as one string', async t => {
  for (const headers of [[], ['host', 'a'], ['x', '', 'y', 'z, z']]) t.same(splitHeaders(joinHeaders(headers)), headers)
})

t.test('the longest time to wait for copies is no short one', async t => {
  const answers: Array<() => void> = []
  const shadow = await startBackend(t, (_, response) => { answers.push(() => response.end('ok')) })
  const engine = new ThreadEngine(MIB, () => {}, inProcess) as Engine
  const { sink } = send(engine, [engine.addTarget({ ...OPTIONS, origin: shadow.url })])
  await until('the shadow has the copy', () => answers.length === 1)
  const closed = engine.close(2 ** 31 - 1)
  await setTimeout(50)
  t.strictSame(sink.calls, [])
  answers[0]()
  await closed
  t.equal(sink.fate, 'answered: 200')
})

t.test('what comes at once is no backlog, however much it is, and what waits when more comes is', async t => {
  let received = 0
  const prompt = await startTcp(t, socket => {
    socket.on('data', bytes => {
      received += bytes.length
      if (bytes.toString('latin1').endsWith('\r\n0\r\n\r\n')) socket.write('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n')
    })
  })
  const hung = await startTcp(t, () => {})
  const engine = new ThreadEngine(128 * MIB, () => {}, inProcess)
  const targets = [prompt, hung].map(({ url }) => engine.addTarget({ ...OPTIONS, origin: url, maxBacklogBytes: 100_000 }))
  const { exchange, sinks } = send(engine as Engine, targets, { method: 'POST', upload: true })
  for (let i = 0; i < 200; i++) exchange.write(Buffer.alloc(50_000, 'x'))
  await until('the prompt one has it', () => received > 10_000_000)
  await until('the other is connected', () => hung.connections === 1)
  t.same(sinks.map(({ calls }) => calls), [[], []], 'both may still take it')
  // What had waited for the connection is not held against it.
  await until('one of them may not any more', async () => {
    exchange.write(Buffer.alloc(20_000, 'y'))
    await setTimeout(10)
    return sinks[1].done
  })
  exchange.end()
  await until('the prompt one has answered', () => sinks[0].done)
  t.same(sinks.map(({ fate }) => fate), ['answered: 200', 'failed: slow'])
  await engine.close(0)
})

t.test('slabs come back and are used again, and what was kept of them stays what it was', async t => {
  // Small parts of a slab, most of one, and longer than one.
  const lengths = [5000, 3000, 70_000, 200_000, 300_000, 2000, 1100]
  const pieces = Array.from({ length: 5 * lengths.length }, (_, i) => Buffer.alloc(lengths[i % lengths.length], 97 + i % 26))
  const whole = Buffer.concat(pieces)
  const backend = await startBackend(t, (_, response) => response.end(whole))
  const threads: Array<EventEmitter & Thread> = []
  const engine = new ThreadEngine(64 * MIB, () => {}, data => {
    threads.push(inProcess(data))
    return threads[0]
  })
  let returned = 0
  threads[0].on('message', ({ slabs }) => { returned += slabs.length })
  const target = engine.addTarget({ origin: backend.url, ...OPTIONS, diff: { maxBodyCapture: 8 * MIB, ignoreHeaders: [], ignoreJsonFields: [], rules: [], origins: {}, redact: [] } })
  const sent = send(engine as Engine, [target], { method: 'POST', upload: true, compare: true })
  sent.exchange.primaryStarts(200, '', [])
  for (const piece of pieces) {
    sent.exchange.write(piece)
    sent.exchange.primaryData(piece)
    const before = returned
    await until('the slab came back', () => returned > before)
  }
  sent.exchange.end()
  sent.exchange.primaryData(Buffer.from('!'))
  sent.exchange.primaryEnds(1)
  await sent.ended()
  t.same(sent.sink.calls, ['answered: 200', 'mismatched: body'])
  t.ok(backend.requests[0].body?.equals(whole))
  t.match(sent.sink.difference?.body, { offset: whole.length }, 'and so was the primary\'s answer')
  await engine.close(0)
})

t.test('an outbox writes to slabs that came back, where they are long enough, and lets go of those that nobody needs', async t => {
  const outbox = new Outbox()
  const bytes = Buffer.alloc(3000)
  const takeSlab = () => {
    outbox.place(bytes)
    outbox.pushPlaced()
    return outbox.take().slabs[0]
  }
  const first = takeSlab()
  outbox.reuse([first])
  const second = takeSlab()
  t.equal(second.length, 6000, 'as much as two of the last batch need')
  outbox.reuse([second])
  t.equal(takeSlab(), second)
  outbox.reuse([second, second, second])
  outbox.take()
  outbox.take()
  t.equal(takeSlab(), second)
  t.not(takeSlab(), second)
  outbox.reuse(Array.from({ length: 100 }, () => second))
  let kept = 0
  while (takeSlab() === second) kept++
  t.equal(kept, 16)
  const large = Buffer.alloc(MIB)
  outbox.reuse([large])
  t.not(takeSlab(), large, 'one that a single long body needed')
})

t.test('an outbox keeps slabs as large as the last batch needed, and its bytes apart', async t => {
  const outbox = new Outbox()
  outbox.place(Buffer.alloc(5000, 1))
  outbox.pushPlaced()
  outbox.place(Buffer.alloc(1500, 2))
  outbox.pushPlaced()
  outbox.place(Buffer.alloc(8000, 3))
  outbox.pushPlaced()
  const { ops, slabs } = outbox.take()
  const pieces = []
  for (let i = 0; i < ops.length; i += 3) {
    const [slab, offset, length] = ops.slice(i, i + 3) as number[]
    pieces.push(Buffer.from(slabs[slab].subarray(offset, offset + length)))
  }
  t.same(pieces, [Buffer.alloc(5000, 1), Buffer.alloc(1500, 2), Buffer.alloc(8000, 3)])
  t.same(outbox.take(), { ops: [], slabs: [] })
  const every = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte))
  outbox.place(every)
  outbox.pushPlaced()
  t.same(Buffer.from(outbox.take().ops[0] as string, 'latin1'), every, 'short ones cross as text')
  for (const slab of slabs) t.equal(slab.byteOffset, 0, 'a slab is no piece of a pool')
})
