import fc from 'fast-check'
import t from 'tap'
import { setImmediate } from 'node:timers/promises'
import { Backlog } from '../../lib/engine/upload/backlog'
import type {
  Difference, Engine, ExchangeHandle, FailureReason, NotComparedReason, PairLatency, TargetOptions
} from '../../lib/engine/types'
import { BackendBooks, MirrorBooks } from '../../lib/metrics/books'
import { mirrorSnapshot } from '../../lib/metrics/snapshot'
import { startBackend } from '../helpers/backend'
import { imbalances } from '../helpers/books'
import { RecordingSink, engines } from '../helpers/engine'
import { holds, same } from '../helpers/property'
import { until } from '../helpers/until'

type Answer = 'ok' | 'no' | 'empty' | 'error'
const ANSWERS: Record<Answer, { status: number, body: string }> = {
  ok: { status: 200, body: 'ok' }, no: { status: 200, body: 'no' }, empty: { status: 200, body: '' }, error: { status: 500, body: 'ok' }
}

/** What a client, a primary and shadows do with one request. */
interface Script {
  upload: null | { pieces: string[], complete: boolean }
  primary: { answer: Answer, way: 'whole' | 'pieces' | 'breaks' | 'none' }
  shadows: Array<Answer | 'reset' | 'cut'>
  compare: boolean
  /** Whose turn it is: of the client, of the primary, of everybody else. */
  turns: Array<0 | 1 | 2>
}

const answer = fc.constantFrom<Answer>('ok', 'no', 'empty', 'error')
const script: fc.Arbitrary<Script> = fc.record({
  upload: fc.option(fc.record({ pieces: fc.array(fc.string({ maxLength: 9 }), { maxLength: 3 }), complete: fc.boolean() }), { freq: 2 }),
  primary: fc.record({ answer, way: fc.constantFrom('whole', 'whole', 'pieces', 'pieces', 'breaks', 'none') }),
  shadows: fc.array(fc.oneof({ weight: 4, arbitrary: answer }, { weight: 1, arbitrary: fc.constantFrom('reset', 'cut') }), { minLength: 1, maxLength: 3 }),
  compare: fc.oneof({ weight: 4, arbitrary: fc.constant(true) }, { weight: 1, arbitrary: fc.constant(false) }),
  turns: fc.array(fc.constantFrom(0, 1, 2), { maxLength: 12 })
})

/** A sink that counts, and looks whether the books close, after every call. */
class CountingSink extends RecordingSink {
  readonly books = new BackendBooks()
  readonly #mirror = new MirrorBooks()

  constructor () {
    super()
    this.#mirror.choose()
    this.#mirror.offer()
    this.books.attempt()
    this.#check()
  }

  override onRefused (error: Error): void {
    super.onRefused(error)
    this.books.refuse()
    this.#check()
  }

  override onFailed (reason: FailureReason, error: Error): void {
    super.onFailed(reason, error)
    this.books.fail(reason)
    this.#check()
  }

  override onAnswered (status: number, ms: number): void {
    super.onAnswered(status, ms)
    this.books.answer(status, ms)
    this.#check()
  }

  override onCompared (difference: Difference | null, latency: PairLatency | null): void {
    super.onCompared(difference, latency)
    this.books.compare(difference, latency)
    this.#check()
  }

  override onNotCompared (reason: NotComparedReason): void {
    super.onNotCompared(reason)
    this.books.leaveUncompared(reason)
    this.#check()
  }

  #check (): void {
    const backend = { name: 'a', url: '', enabled: true, percentage: 100, breaker: 'closed' as const, books: this.books }
    const state = { id: 'a', routes: [], enabled: true, percentage: 100, rules: [], repeats: null, books: this.#mirror, backends: [backend] }
    same(imbalances(mirrorSnapshot(state)), [], this.calls.join())
  }
}

function clientOf (exchange: ExchangeHandle, { upload }: Script): Array<() => void> {
  if (upload === null) return []
  return [...upload.pieces.map(piece => () => exchange.write(Buffer.from(piece))), () => upload.complete ? exchange.end() : exchange.cut()]
}

function primaryOf (exchange: ExchangeHandle, { primary: { answer, way } }: Script): Array<() => void> {
  const { status, body } = ANSWERS[answer]
  if (way === 'whole') return [() => exchange.primaryWhole(status, '', null, body, 1)]
  if (way === 'none') return [() => exchange.primaryLost('hijacked')]
  const pieces = [...body].map(char => () => exchange.primaryData(Buffer.from(char)))
  return [() => exchange.primaryStarts(status, '', null), ...pieces, () => way === 'pieces' ? exchange.primaryEnds(1) : exchange.primaryLost('primaryFailed')]
}

/** What a copy may come to, given what everybody does. */
function expected (script: Script, shadow: Script['shadows'][number], compared: string): boolean {
  if (!script.compare) return compared === 'not compared: off'
  const { answer, way } = script.primary
  if (way === 'none') return compared === 'not compared: hijacked'
  if (way === 'breaks') return compared === 'not compared: primaryFailed'
  const [a, b] = [ANSWERS[answer], ANSWERS[shadow as Answer]]
  const differs = [...a.status === b.status ? [] : ['status'], ...a.body === b.body ? [] : ['body']]
  return compared === (differs.length === 0 ? 'matched' : `mismatched: ${differs.join()}`)
}

async function play (engine: Engine, target: unknown, script: Script): Promise<string[]> {
  const backlog = script.upload === null ? null : new Backlog(engine.budget, 0)
  const sinks = script.shadows.map(() => new CountingSink())
  const exchange = engine.open({
    method: script.upload === null ? 'GET' : 'POST',
    backlog,
    length: 0,
    compare: script.compare,
    repeat: null,
    copies: script.shadows.map((shadow, i) => ({ target, head: { path: `/${shadow}`, headers: ['host', 'shadow.test'] }, sink: sinks[i] }))
  })
  const [client, primary] = [clientOf(exchange, script), primaryOf(exchange, script)]
  for (const turn of script.turns) {
    if (turn === 2) await setImmediate()
    else (turn === 0 ? client : primary).shift()?.()
  }
  for (const step of [...client, ...primary]) step()
  await until('every copy has ended', () => sinks.every(sink => sink.done))
  await until('nothing is held', () => engine.budget.used === 0)
  // A turn for whoever would be told twice.
  await setImmediate()
  for (const [i, { done, calls, answered }] of sinks.entries()) {
    if (!done) throw new Error(`told too much: ${calls}`)
    if (!answered) {
      const allowed = script.upload?.complete === false
        ? ['failed: aborted']
        : {
            reset: ['failed: reset', 'failed: staleConnection'], cut: ['failed: body', 'failed: reset', 'failed: staleConnection']
          }[String(script.shadows[i])] ?? []
      if (!allowed.includes(calls[0])) throw new Error(`${script.shadows[i]}: ${calls}`)
    } else if (!expected(script, script.shadows[i], calls[1])) throw new Error(`${script.shadows[i]}: ${calls}`)
  }
  return sinks.map(({ calls }) => calls[calls.length - 1])
}

for (const { name, start } of engines) {
  t.test(`${name}: whatever comes first`, async t => {
    const shadow = await startBackend(t, (request, response, { url }) => {
      if (url === '/reset') return request.socket.resetAndDestroy()
      if (url === '/cut') return response.write('o', () => request.socket.destroy())
      const { status, body } = ANSWERS[url.slice(1) as Answer]
      response.writeHead(status).end(body)
    })
    const engine = start(1024 * 1024)
    t.teardown(() => engine.close(0))
    const options: TargetOptions = {
      origin: shadow.url, connect: {}, timeout: 60_000, bodyTimeout: 10_000, maxBacklogBytes: 1024 * 1024, diff: null, maxCoded: 1024 * 1024
    }
    const target = engine.addTarget(options)
    const ends = new Set<string>()
    await holds(t, 'every copy ends once, as it must, with books that close all the time', fc.asyncProperty(script, async script => {
      for (const end of await play(engine, target, script)) ends.add(end)
    }), 150)
    t.match([...ends].join(), /matched.*mismatched|mismatched.*matched/)
    t.ok(ends.size > 6, [...ends].join())
  })
}
