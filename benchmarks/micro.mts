import { createHash } from 'node:crypto'
import { EventEmitter } from 'node:events'
import { IncomingMessage, ServerResponse } from 'node:http'
import { createRequire } from 'node:module'
import { Socket } from 'node:net'
import { join } from 'node:path'
import { Bench } from 'tinybench'
import type * as Re2js from 're2js' with { 'resolution-mode': 'require' }
import type * as DecisionConditions from '../lib/decision/conditions.js'
import type * as DecisionSampler from '../lib/decision/sampler.js'
import type * as RequestHead from '../lib/mirror/head-rules.js'
import type * as TapRequestBody from '../lib/tap/request-body.js'
import type * as TapAnswer from '../lib/tap/answer.js'
import type * as TapNodeStream from '../lib/tap/node-stream.js'
import type * as GuardModule from '../lib/guard.js'
import type * as CompareDigest from '../lib/compare/digest.js'
import type * as MetricsRing from '../lib/metrics/ring.js'
import type * as CompareJson from '../lib/compare/json/diff.js'
import type * as AllSteps from '../lib/steps.js'
import type * as CompareRules from '../lib/compare/rules/set.js'
import type * as CompareRedact from '../lib/compare/redact.js'
import type * as EngineThreadOutbox from '../lib/engine/thread/outbox.js'
import type * as EngineThreadToThread from '../lib/engine/thread/to-thread.js'
import { answerCalls } from './calls.mjs'

export interface MicroOptions {
  /** Where the compiled plugin is. */
  dist: string
  /** Milliseconds for each. */
  time: number
}

export interface MicroRow {
  part: string
  name: string
  /** Nanoseconds a call: the median and the 99th percentile of samples of many calls; NaN where it could not be run. */
  p50: number
  p99: number
  /** Bytes that a call hashes. */
  bytes?: number
}

interface Case {
  name: string
  /** Calls in one sample: so many that the clock does not count. */
  calls: number
  call: () => unknown
  bytes?: number
}

type Load = <T>(file: string) => T

const RAW_HEADERS = [
  'Host', 'gateway.example', 'User-Agent', 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0',
  'Accept', 'application/json', 'Accept-Language', 'en', 'Accept-Encoding', 'gzip, deflate, br', 'Connection', 'keep-alive',
  'Authorization', 'Bearer 0123456789abcdef0123456789abcdef', 'Cookie', 'session=0123456789abcdef; theme=dark',
  'X-Request-Id', '7f3c2a10-5d1e-4a58-9a33-5b8f1f0c2d4e', 'X-Mirror', 'true', 'Referer', 'https://shop.example/cart',
  'If-None-Match', '"5f3c2a10"'
]
const HEADERS = Object.fromEntries(
  RAW_HEADERS.flatMap((name, i) => i % 2 === 0 ? [[name.toLowerCase(), RAW_HEADERS[i + 1]]] : [])
)
const SMALL = Buffer.alloc(78, 'x')
const PIECE = Buffer.alloc(64 * 1024, 'x')
const PIECES = 16

function decision (load: Load): Case[] {
  const { RE2JS } = load<typeof Re2js>('re2js')
  const { Conditions } = load<typeof DecisionConditions>('decision/conditions.js')
  const { Sampler } = load<typeof DecisionSampler>('decision/sampler.js')
  const none = new Conditions({ methods: null, headers: [], pathRegex: null })
  const plain = new Conditions({ methods: new Set(['GET', 'POST']), headers: [['x-mirror', 'true']], pathRegex: null })
  const regex = new Conditions({ methods: null, headers: [], pathRegex: RE2JS.compile('^/api/v2/.*') })
  const sampler = new Sampler()
  const matches = (conditions: InstanceType<typeof Conditions>) => () => conditions.matches('GET', HEADERS, RAW_HEADERS, '/api/v2/users/1?a=b')
  return [
    { name: 'no condition', calls: 1000, call: matches(none) },
    { name: 'method and header', calls: 1000, call: matches(plain) },
    { name: 'pathRegex', calls: 1000, call: matches(regex) },
    { name: 'a roll', calls: 1000, call: () => sampler.chosen(50, undefined) },
    { name: 'a key of 36 characters', calls: 1000, call: () => sampler.chosen(50, '7f3c2a10-5d1e-4a58-9a33-5b8f1f0c2d4e') }
  ]
}

function head (load: Load): Case[] {
  const { HeadRules } = load<typeof RequestHead>('mirror/head-rules.js')
  const rules = new HeadRules(['authorization'])
  const raw = { headers: HEADERS, rawHeaders: RAW_HEADERS }
  return [{ name: '12 headers', calls: 1000, call: () => rules.endToEnd(raw, false) }]
}

function tap (load: Load): Case[] {
  const { tapRequestBody } = load<typeof TapRequestBody>('tap/request-body.js')
  const { Answer } = load<typeof TapAnswer>('tap/answer.js')
  const { tapNodeStream } = load<typeof TapNodeStream>('tap/node-stream.js')
  const { Guard } = load<typeof GuardModule>('guard.js')
  const listener = {
    guard: new Guard(() => {}), nextListener: null, fail () {}, onBodyData () {}, onBodyEnd () {}, onAnswerData () {}, onAnswerEnd () {}
  }
  const socket = new Socket()
  const receive = (tapped: boolean) => () => {
    const message = new IncomingMessage(socket)
    if (tapped) tapRequestBody(message, listener)
    message.push(SMALL)
    message.push(null)
  }
  const response = new ServerResponse(new IncomingMessage(socket))
  const flow = (tapped: boolean) => () => {
    const stream = new EventEmitter()
    stream.on('data', listener.onAnswerData)
    if (tapped) tapNodeStream(stream, new Answer(listener, response))
    stream.emit('data', SMALL)
    stream.emit('end')
  }
  return [
    { name: 'a request body of one piece, untapped', calls: 1000, call: receive(false) },
    { name: 'a request body of one piece', calls: 1000, call: receive(true) },
    { name: 'an answer of one piece, untapped', calls: 1000, call: flow(false) },
    { name: 'an answer of one piece', calls: 1000, call: flow(true) }
  ]
}

function digest (load: Load): Case[] {
  const { Digest } = load<typeof CompareDigest>('compare/digest.js')
  const text = SMALL.toString()
  const bytes = PIECES * PIECE.length
  return [
    {
      name: '78 bytes, node:crypto',
      calls: 1000,
      call: () => createHash('sha256').update(SMALL).digest('hex')
    },
    {
      name: '78 bytes, as they flow',
      calls: 1000,
      call: () => {
        const digest = new Digest()
        digest.update(SMALL)
        digest.end()
      }
    },
    { name: '78 bytes of text, as a whole', calls: 1000, call: () => Digest.of(text) },
    {
      name: '1 MiB in pieces of 64 KiB, node:crypto',
      calls: 1,
      bytes,
      call: () => {
        const reference = createHash('sha256')
        for (let i = 0; i < PIECES; i++) reference.update(PIECE)
        reference.digest('hex')
      }
    },
    {
      name: '1 MiB in pieces of 64 KiB',
      calls: 1,
      bytes,
      call: () => {
        const digest = new Digest()
        for (let i = 0; i < PIECES; i++) digest.update(PIECE)
        digest.end()
      }
    }
  ]
}

function ring (load: Load): Case[] {
  const { Ring } = load<typeof MetricsRing>('metrics/ring.js')
  const ring = new Ring()
  let ms = 0
  const add = () => ring.add(ms = (ms * 7919 + 0.37) % 50)
  for (let i = 0; i < 1000; i++) add()
  return [
    { name: 'add', calls: 1000, call: add },
    { name: 'percentiles of 1000', calls: 10, call: () => ring.summary() }
  ]
}

function json (load: Load): Case[] {
  const { diffJson } = load<typeof CompareJson>('compare/json/diff.js')
  const { atOnce } = load<typeof AllSteps>('steps.js')
  const { Rules } = load<typeof CompareRules>('compare/rules/set.js')
  const { createRedactor } = load<typeof CompareRedact>('compare/redact.js')
  const ignoreJsonFields = ['/items/*/updatedAt']
  const rules = new Rules({ rules: [], ignoreHeaders: [], ignoreJsonFields, origins: {} })
  const options = { at: rules.of('').json.root, redactor: createRedactor([]) }
  const items = Array.from({ length: 20 }, (_, id) => ({ id, name: `item ${id}`, price: id * 1.25, updatedAt: '2024-01-01T00:00:00Z', ok: true }))
  const primary = JSON.stringify({ total: 20, page: 1, items })
  const reordered = JSON.stringify({ items: items.map(({ id, ...rest }) => ({ ...rest, id })), page: 1, total: 20 })
  const different = primary.replace('"price":5,', '"price":6,')
  const diff = (shadow: string) => () => atOnce(diffJson(primary, shadow, options))
  return [
    { name: `JSON.parse of both, ${primary.length} bytes`, calls: 10, call: () => [JSON.parse(primary), JSON.parse(different)] },
    { name: 'one value differs', calls: 10, call: diff(different) },
    { name: 'equal but for the order of keys', calls: 10, call: diff(reordered) }
  ]
}

function thread (load: Load): Case[] {
  const { Outbox } = load<typeof EngineThreadOutbox>('engine/thread/outbox.js')
  const { open, primaryData, primaryEnds, primaryStarts } = load<typeof EngineThreadToThread>('engine/thread/to-thread.js')
  const outbox = new Outbox()
  const head = { path: '/api/v2/users/1?a=b', headers: RAW_HEADERS }
  const init = { method: 'GET', length: 0, backlog: null, compare: true, copies: [{ target: 0, head, sink: null as never }], repeat: null }
  return [{
    name: 'a GET and its answer, in batches of 32',
    calls: 32,
    call: () => {
      open.write(outbox, 1, init)
      primaryStarts.write(outbox, 1, 200, '', null)
      primaryData.write(outbox, 1, SMALL)
      primaryEnds.write(outbox, 1, 1.5)
      if (outbox.ops.length >= 32 * 27) outbox.take()
    }
  }]
}

const parts: Record<string, (load: Load) => Case[]> = {
  Decision: decision,
  'Head of the copy': head,
  Tap: tap,
  Digest: digest,
  'Latency ring': ring,
  'JSON diff': json,
  'Thread protocol': thread
}

const calls = {
  async run ({ dist, time }: MicroOptions): Promise<MicroRow[]> {
    const require = createRequire(join(dist, 'index.js'))
    const load: Load = file => require(file.endsWith('.js') ? join(dist, file) : file)
    const rows: MicroRow[] = []
    for (const [part, casesOf] of Object.entries(parts)) {
      let cases: Case[]
      try {
        cases = casesOf(load)
      } catch (error) {
        console.error(`${part} is left out: ${String(error)}`)
        continue
      }
      const bench = new Bench({ time, warmupTime: time / 4 })
      for (const { name, calls, call } of cases) bench.add(name, () => { for (let i = 0; i < calls; i++) call() })
      const tasks = await bench.run()
      for (const [index, { result }] of tasks.entries()) {
        const { name, calls, bytes } = cases[index]
        const latency = 'latency' in result ? result.latency : null
        const ns = (ms: number | undefined) => ms === undefined ? NaN : ms * 1e6 / calls
        rows.push({ part, name, p50: ns(latency?.p50), p99: ns(latency?.p99), bytes })
      }
    }
    return rows
  }
}

export type Micro = typeof calls

answerCalls(calls)
