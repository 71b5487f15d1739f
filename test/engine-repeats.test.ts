import t from 'tap'
import { setImmediate } from 'node:timers/promises'
import { OF_PRIMARY } from '../lib/engine/types'
import { REFUSED, startBackend } from './helpers/backend'
import { testEngines } from './helpers/engine'
import type { Sent } from './helpers/engine'
import { until } from './helpers/until'

/** The comparison in detail. */
const DETAIL = {
  diff: { maxBodyCapture: 1000, ignoreHeaders: [], ignoreJsonFields: [], redact: [], rules: [], origins: {} }
}
const TYPE = ['content-type', 'application/json']

const isAnswered = ({ sink }: Sent) => until('the copy is answered', () => sink.answered)

testEngines(t, 'the same request goes out a second time when the first answer has ended, to be compared with it', async (t, bench) => {
  let count = 0
  const shadow = await startBackend(t, (_, response) => {
    response.setHeader('content-type', 'application/json')
    response.setHeader('x-no', count)
    response.end(JSON.stringify({ id: count++ }))
  })
  const target = bench.target(shadow.url, DETAIL)
  const sent = bench.send(target, { path: '/a?b', headers: ['host', 'x.test', 'x-a', '1'], compare: true, repeat: { target, of: 0 } })
  await isAnswered(sent)
  t.equal(shadow.requests.length, 1, 'not before it is asked for')
  sent.exchange.repeat(true, null)
  sent.exchange.primaryWhole(200, '', [...TYPE, 'x-no', '0'], '{"id":0}', 1)
  await sent.ended()
  const [first, second] = shadow.requests
  t.strictSame(second, { ...first, headers: second.headers })
  t.equal(shadow.connections, 1, 'over the connection that is free again')
  t.strictSame(sent.sink.calls, ['answered: 200', 'matched'])
  t.strictSame(sent.repeated.calls, ['answered: 200', 'mismatched: headers,body'])
  t.match(sent.repeated.difference, {
    headers: [{ name: 'x-no', primary: ['0'], shadow: ['1'] }], body: { differences: [{ pointer: '/id', primary: '0', shadow: '1' }] }
  })
  t.equal(sent.repeated.latency, null)
})

testEngines(t, 'a repeat of the primary goes to another instance, and is compared with the primary\'s answer', async (t, bench) => {
  const shadow = await startBackend(t, (_, response) => response.end('new'))
  const other = await startBackend(t, (_, response) => response.end('old'))
  const [target, of] = [bench.target(shadow.url, DETAIL), bench.target(other.url, DETAIL)]
  const ask = () => bench.send(target, { compare: true, repeat: { target: of, of: OF_PRIMARY } })

  const whole = ask()
  whole.exchange.primaryWhole(200, '', [], 'old', 1)
  whole.exchange.repeat(true, null)
  await whole.ended()
  t.strictSame(whole.repeated.calls, ['answered: 200', 'matched'])

  const late = ask()
  await isAnswered(late)
  t.equal(other.requests.length, 1)
  late.exchange.primaryStarts(200, '', [])
  late.exchange.primaryData(Buffer.from('ol'))
  late.exchange.primaryData(Buffer.from('der'))
  late.exchange.primaryEnds(1)
  late.exchange.repeat(true, null)
  await late.ended()
  t.match(late.sink.calls, ['answered: 200', /mismatched/])
  t.match(late.repeated.difference?.differs, ['body'])

  const lost = ask()
  lost.exchange.primaryLost('primaryFailed')
  lost.exchange.repeat(true, null)
  await lost.ended()
  t.strictSame(lost.repeated.calls, ['failed: aborted'])
  t.equal(other.requests.length, 2)

  const alone = bench.send(bench.target(REFUSED.url, DETAIL), { compare: true, repeat: { target: of, of: OF_PRIMARY } })
  await until('the copy has failed', () => alone.sink.done)
  t.ok(alone.exchange.wantsPrimary, 'the repeat waits for it, though no copy does')
  alone.exchange.primaryWhole(200, '', [], 'old', 1)
  alone.exchange.repeat(true, null)
  await alone.ended()
  t.match(alone.repeated.calls, ['answered: 200', 'matched'])
})

testEngines(t, 'a repeat that is not wanted, or whose first answer does not come, is not sent', async (t, bench) => {
  const shadow = await startBackend(t)
  const target = bench.target(shadow.url, DETAIL)
  const declined = bench.send(target, { compare: true, repeat: { target, of: 0 } })
  await isAnswered(declined)
  declined.exchange.repeat(false, null)
  declined.exchange.repeat(true, null)
  declined.exchange.primaryLost('hijacked')
  await declined.ended()
  t.strictSame(declined.repeated.calls, ['failed: aborted'])
  declined.exchange.repeat(true, null)

  const failing = bench.send([bench.target(REFUSED.url), target], { compare: true, repeat: { target, of: 0 } })
  failing.exchange.primaryLost('hijacked')
  await failing.ended()
  t.strictSame(failing.repeated.calls, ['failed: aborted'])

  const broken = bench.send(target, { compare: true, repeat: { target, of: 0 } })
  broken.exchange.fail(new Error('ours'))
  await broken.ended()
  t.match(broken.repeated.calls, [/^failed: (?:error|aborted)$/])

  const none = bench.send(target, { compare: true })
  none.exchange.repeat(true, null)
  none.exchange.primaryLost('hijacked')
  await none.ended()
  await setImmediate()
  t.ok(shadow.requests.length <= 4)
})

testEngines(t, 'a repeat of a request with a body has that body', async (t, bench) => {
  const shadow = await startBackend(t)
  const target = bench.target(shadow.url, DETAIL)
  for (const body of ['{"query":"{ a }"}', 'x'.repeat(5000)]) {
    shadow.requests.length = 0
    const sent = bench.send(target, { method: 'POST', body, compare: true, repeat: { target, of: 0 } })
    await isAnswered(sent)
    sent.exchange.repeat(true, Buffer.from(body))
    sent.exchange.primaryLost('hijacked')
    await sent.ended()
    t.strictSame(sent.repeated.calls, ['answered: 200', 'matched'])
    t.strictSame(shadow.requests.map(({ body }) => body?.toString()), [body, body])
    t.equal(shadow.requests[1].headers['content-length'], `${body.length}`)
  }
})

testEngines(t, 'what a cache gave once more is told apart', async (t, bench) => {
  let headers: Record<string, string> = {}
  let status = 200
  let body: string | undefined
  const shadow = await startBackend(t, (_, response) => {
    response.sendDate = false
    response.writeHead(status, headers)
    response.end(status === 304 ? undefined : body ?? `${Math.random()}`)
  })
  const target = bench.target(shadow.url, DETAIL)
  const date = new Date().toUTCString()
  for (const [answered, cached, code = 200, same] of [
    [{ age: '0' }, true], [{ 'x-cache': 'HIT from edge' }, true], [{ 'x-cache': 'MISS' }, false], [{}, true, 304],
    [{ etag: '"a"', date }, false], [{ etag: '"a"', date }, true, 200, 'the same'], [{ etag: '"a"' }, false],
    [{ date }, false]
  ] as Array<[Record<string, string>, boolean, number?, string?]>) {
    headers = answered
    status = code
    body = same
    const sent = bench.send(target, { compare: true, repeat: { target, of: 0 } })
    await isAnswered(sent)
    sent.exchange.repeat(true, null)
    sent.exchange.primaryLost('hijacked')
    await sent.ended()
    t.strictSame(sent.repeated.calls, [`answered: ${code}`, cached ? 'not compared: cached' : 'mismatched: body'], JSON.stringify(answered))
  }
})

testEngines(t, 'a first answer that is too long is compared by its hash', async (t, bench) => {
  const shadow = await startBackend(t, (_, response) => response.end('x'.repeat(2000)))
  const target = bench.target(shadow.url, DETAIL)
  const sent = bench.send(target, { compare: true, repeat: { target, of: 0 } })
  await isAnswered(sent)
  sent.exchange.repeat(true, null)
  sent.exchange.primaryLost('hijacked')
  await sent.ended()
  t.strictSame(sent.repeated.calls, ['answered: 200', 'matched'])
})

testEngines(t, 'without half of the memory there is no repeat', async (t, bench) => {
  const shadow = await startBackend(t, (_, response) => response.end('x'.repeat(900)))
  const target = bench.target(shadow.url, DETAIL)
  // On a thread it has half of the whole.
  const taken = bench.engine.threaded ? null : bench.engine.budget.take(25_000)
  const sent = bench.send(target, { compare: true, repeat: { target, of: 0 } })
  await isAnswered(sent)
  sent.exchange.repeat(true, Buffer.alloc(30_000))
  sent.exchange.primaryLost('hijacked')
  await sent.ended()
  t.match(sent.repeated.calls, [bench.engine.threaded ? 'failed: aborted' : 'failed: memory'])
  if (taken !== null) bench.engine.budget.free(25_000)
}, { bytes: 40_000, own: true })

testEngines(t, 'closing the engine ends repeats that wait for their answer, and those under way', async (t, bench) => {
  const shadow = await startBackend(t, (_, response) => {
    if (shadow.requests.length === 1) response.end('ok')
  })
  const target = bench.target(shadow.url, DETAIL)
  const sent = bench.send(target, { compare: true, repeat: { target, of: 0 } })
  await isAnswered(sent)
  sent.exchange.repeat(true, null)
  const waiting = bench.send(target, { compare: true, repeat: { target, of: OF_PRIMARY } })
  await until('the repeat and another copy are under way', () => shadow.requests.length === 3)
  await bench.engine.close(0)
  await Promise.all([sent.ended(), waiting.ended()])
  t.strictSame(sent.repeated.calls, ['failed: aborted'])
  t.strictSame(waiting.repeated.calls, ['failed: aborted'])
}, { own: true })
