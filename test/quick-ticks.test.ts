import t from 'tap'
import Fastify from 'fastify'
import { executionAsyncResource } from 'node:async_hooks'
import { setTimeout as delay } from 'node:timers/promises'
import { gc } from './helpers/gc'

interface Loaded { keepTicksQuick: () => void }

/** The module anew, with a word of each object that it gets hold of. */
function load (heard: Array<WeakRef<object>>): Loaded {
  return t.mockRequire<Loaded>('../lib/engine/quick-ticks', {
    'node:async_hooks': {
      executionAsyncResource () {
        const resource = executionAsyncResource()
        heard.push(new WeakRef(resource))
        return resource
      }
    }
  })
}

t.test('one object of process.nextTick outlives every collection of garbage', async t => {
  const heard: Array<WeakRef<object>> = []
  const { keepTicksQuick } = load(heard)
  keepTicksQuick()
  for (let i = 0; i < 6; i++) {
    await delay(1)
    gc()
  }
  keepTicksQuick()
  await delay(1)
  t.equal(heard.length, 1, 'one is enough')
  const kept = heard[0].deref()
  t.match(kept, { callback: Function }, 'of process.nextTick')
  await new Promise<void>(resolve => {
    process.nextTick(() => {
      t.strictSame(Reflect.ownKeys(executionAsyncResource()), Reflect.ownKeys(kept as object), 'as every other')
      resolve()
    })
  })
})

t.test('whoever registers the plugin has it', async t => {
  const heard: Array<WeakRef<object>> = []
  const app = Fastify()
  t.teardown(() => app.close())
  app.register(t.mockRequire('../lib/index', { '../lib/engine/quick-ticks': load(heard) }))
  await app.ready()
  t.equal(heard.length, 1)
})

t.test('keepTicksQuick: false leaves Node as it is', async t => {
  const heard: Array<WeakRef<object>> = []
  const app = Fastify()
  t.teardown(() => app.close())
  app.register(t.mockRequire('../lib/index', { '../lib/engine/quick-ticks': load(heard) }), { keepTicksQuick: false })
  await app.ready()
  await delay(1)
  t.strictSame(heard, [])
})
