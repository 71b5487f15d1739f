import httpProxy from '@fastify/http-proxy'
import { context, propagation, trace } from '@opentelemetry/api'
import { InMemorySpanExporter, NodeTracerProvider, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-node'
import diagnostics from 'node:diagnostics_channel'
import t from 'tap'
import type { Test } from 'tap'
import { startBackend } from '../helpers/backend'
import { until } from '../helpers/until'
import { ask, fateOf, inBothOrders, startApp } from './company'
import type { Part } from './company'

const exporter = new InMemorySpanExporter()
const provider = new NodeTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] })
provider.register()
t.teardown(() => provider.shutdown())

const TRACE = '0af7651916cd43dd8448eb211c80319c'
const CONTEXT = { traceparent: `00-${TRACE}-b7ad6b7169203331-01`, tracestate: 'vendor=a', baggage: 'user=1' }

async function startTraced (t: Test, order: Part[]) {
  const primary = await startBackend(t)
  const shadow = await startBackend(t)
  const mirror = (id: string) => ({ id, backends: [shadow.url], compare: { enabled: true } })
  const { app, url } = await startApp(t, order, async app => {
    app.get('/own', { mirror: mirror('own') }, async function readUser () { return 'ok' })
    await app.register(httpProxy, { upstream: primary.url, prefix: '/proxied', config: { mirror: mirror('proxied') } })
  })
  return { primary, shadow, app, url }
}

inBothOrders(t, 'spans are of the request and named by the handler', ['otel'], async (t, order) => {
  const { app, url } = await startTraced(t, order)
  exporter.reset()
  t.equal(await fateOf(app, 'own', () => ask(url + '/own', { headers: CONTEXT })), 'matched')
  await until('the request is told of', () => exporter.getFinishedSpans().some(({ name }) => name === 'request'))
  const spans = exporter.getFinishedSpans()
  t.equal(spans.filter(({ name }) => name === 'request').length, 1, 'a copy is no request')
  t.match(spans.find(({ attributes }) => attributes['fastify.type'] === 'request-handler'), { name: /readUser/ })
  t.strictSame(new Set(spans.map(span => span.spanContext().traceId)), new Set([TRACE]))
})

inBothOrders(t, 'the client\'s trace context reaches both backends', ['otel'], async (t, order) => {
  const { primary, shadow, app, url } = await startTraced(t, order)
  t.equal(await fateOf(app, 'proxied', () => ask(url + '/proxied', { headers: CONTEXT })), 'matched')
  for (const { requests } of [primary, shadow]) t.match(requests, [{ headers: CONTEXT }])
  t.equal(await fateOf(app, 'own', () => ask(url + '/own', { headers: CONTEXT })), 'matched')
  t.match(shadow.requests[1].headers, CONTEXT)
})

inBothOrders(t, 'spans of what goes out are children of the request that it is for', ['otel'], async (t, order) => {
  // What @opentelemetry/instrumentation-undici does: it hears of each request of undici, and adds the context in which it was made.
  const inject = (message: unknown) => {
    const { request } = message as { request: { addHeader (name: string, value: string): void } }
    propagation.inject(context.active(), request, { set: (carrier, name, value) => { carrier.addHeader(name, value) } })
  }
  diagnostics.subscribe('undici:request:create', inject)
  t.teardown(() => diagnostics.unsubscribe('undici:request:create', inject))

  const { primary, shadow, app, url } = await startTraced(t, order)
  t.equal(await fateOf(app, 'proxied', () => ask(url + '/proxied')), 'matched')
  const [one, other] = [primary, shadow].map(({ requests }) => String(requests[0].headers.traceparent).split('-'))
  t.match(one[1], /^[\da-f]{32}$/)
  t.equal(other[1], one[1], 'one trace')
  t.ok(trace.isSpanContextValid({ traceId: one[1], spanId: one[2], traceFlags: 1 }))
})
