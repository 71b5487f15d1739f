// Uses the installed package as its users do: a gateway, its primary and a shadow, inline and on a thread. To be run in
// a folder where fastify-mirror, fastify and @fastify/http-proxy are installed. Fails with a message that says what is
// wrong.

import httpProxy from '@fastify/http-proxy'
import Fastify from 'fastify'
import mirror from 'fastify-mirror'
import assert from 'node:assert/strict'
import { once } from 'node:events'
import http from 'node:http'
import { buffer } from 'node:stream/consumers'
import { setTimeout as delay } from 'node:timers/promises'

const BODY = 'a body, '.repeat(20_000)
/** Milliseconds: what a busy machine is given, and what closing may take over the second that it waits for copies. */
const PATIENCE = 30_000

for (const thread of [false, true]) await tryOut(thread)
console.log(`Node ${process.version}: inline and on a thread, all is well`)

async function tryOut (thread) {
  const primary = await listen('1')
  const shadow = await listen('2')
  const app = Fastify()
  await app.register(mirror, { thread, admin: { onRequest: async () => {} } })
  await app.register(httpProxy, {
    upstream: primary.url,
    config: {
      mirror: {
        id: 'smoke',
        backends: [{ name: 'v2', url: shadow.url }],
        timeout: PATIENCE,
        compare: { enabled: true, detailedDiff: true }
      }
    }
  })
  const url = await app.listen({ port: 0, host: '127.0.0.1' })

  assert.deepEqual(await ask(url + '/same?a=1'), { status: 200, text: '{"url":"/same?a=1","length":0}' }, 'GET')
  assert.deepEqual(
    await ask(url + '/same', BODY), { status: 200, text: `{"url":"/same","length":${BODY.length}}` }, 'POST'
  )
  assert.deepEqual(
    await ask(url + '/version'), { status: 200, text: '{"version":"1"}' }, 'what the shadow answers otherwise'
  )

  const smoke = await settled(async () => JSON.parse((await ask(url + '/mirrors/smoke')).text))
  const [backend] = smoke.backends
  assert.deepEqual(
    [smoke.seen, smoke.mirrored, backend.matched, backend.mismatched], [3, 3, 2, 1],
    'seen, mirrored, matched, mismatched'
  )
  // In whatever order its connections were served.
  assert.deepEqual(shadow.lengths.toSorted((a, b) => a - b), [0, 0, BODY.length], 'bodies that the shadow got')
  const { places } = JSON.parse((await ask(url + '/mirrors/smoke/mismatches')).text)
  assert.deepEqual(
    places.map(({ where, kind, count }) => [where, kind, count]), [['/version', 'changed', 1]], 'mismatches'
  )
  assert.equal((await ask(url + '/mirrors/ui')).status, 200, 'the page')

  const begun = performance.now()
  await app.close()
  const took = performance.now() - begun
  assert.ok(took < PATIENCE, `closing took ${took} ms`)
  await primary.close()
  await shadow.close()
}

async function listen (version) {
  const lengths = []
  const server = http.createServer(async (request, response) => {
    const { length } = await buffer(request)
    lengths.push(length)
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify(request.url === '/version' ? { version } : { url: request.url, length }))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    lengths,
    async close () {
      server.close()
      server.closeAllConnections()
      await once(server, 'close')
    }
  }
}

async function ask (url, body) {
  const response = await fetch(url, body === undefined ? {} : { method: 'POST', body })
  return { status: response.status, text: await response.text() }
}

/** A mirror's numbers, once nothing is under way. */
async function settled (read) {
  const end = performance.now() + PATIENCE
  for (;;) {
    const mirror = await read()
    const [{ inFlight, comparing }] = mirror.backends
    if (mirror.pending + inFlight + comparing === 0) return mirror
    assert.ok(performance.now() < end, `copies are under way after ${PATIENCE} ms: ${JSON.stringify(mirror)}`)
    await delay(5)
  }
}
