import t from 'tap'
import { readMirrorOptions } from '../lib/options'
import type { CompareOptions, NoiseOptions } from '../types/index'

const ROUTE = { method: 'GET', url: '/' }
const COMPARE = { enabled: true, detailedDiff: true }
const read = (noise: unknown, compare: CompareOptions = COMPARE, defaults = {}) => {
  return readMirrorOptions({ backends: ['http://a'], compare, noise }, defaults, ROUTE).noise
}

t.test('what is not given has a default, and methods are of any case', async t => {
  t.strictSame(read({ from: 'shadow' }), { from: 'shadow', percentage: 5, methods: new Set(['GET', 'HEAD']), auto: false })
  t.match(read({ from: 'shadow', percentage: 0.5, methods: ['options', 'Get'] }), { percentage: 0.5, methods: new Set(['OPTIONS', 'GET']) })
  t.strictSame(read({ from: { url: 'http://v1:9000/base/' }, accept: 'auto' }), {
    from: {
      url: 'http://v1:9000/base/', origin: 'http://v1:9000', host: 'v1:9000', basePath: '/base', connect: {}, connectSource: null, name: 'v1:9000'
    },
    percentage: 5,
    methods: new Set(['GET', 'HEAD']),
    auto: true
  })
  const connect = () => ({ servername: 'a' })
  t.match(read({ from: { url: 'https://v1', name: 'old', connect } }), {
    from: { name: 'old', connect: { servername: 'a' }, connectSource: connect }
  })
})

t.test('without it, or where nothing is compared by intent, there is none', async t => {
  t.equal(read(undefined), null)
  t.equal(read(false, {}), null)
  t.equal(read({ from: 'shadow' }, { enabled: false }), null)
  t.equal(read({ from: 'shadow' }, { enabled: true, detailedDiff: false }), null)
  t.equal(read(false, COMPARE, { noise: { from: 'shadow' } }), null, 'a route switches off what the defaults say')
})

t.test('what is wrong, or can have no effect, is told', async t => {
  const from = 'mirror.noise.from must be "shadow", or an object with the url of another instance of the primary\'s version, got '
  for (const [noise, message, compare] of [
    [{}, 'mirror.noise.from must be'],
    [true, 'mirror.noise must be false, or an object with from, got true'],
    ['shadow', 'mirror.noise must be false, or an object with from, got "shadow"'],
    [{ from: 'primary' }, `${from}"primary"`],
    [{ from: {} }, 'mirror.noise.from'],
    [{ from: { url: 'http://a', weight: 1 } }, 'mirror.noise.from.weight (1) is not an option'],
    [{ from: { url: 'ftp://a' } }, 'mirror.noise.from.url must be an http: or https: URL'],
    [{ from: { url: 'http://a', connect: { ca: 'x' } } }, 'mirror.noise.from.connect.ca must be left out, as the URL is http:'],
    [{ from: 'shadow', percentage: 101 }, 'mirror.noise.percentage must be a number from 0 to 100, got 101'],
    [{ from: 'shadow', methods: ['POST'] }, 'mirror.noise.methods[0] must be GET, HEAD or OPTIONS, got "POST"'],
    [{ from: 'shadow', accept: 'yes' }, 'mirror.noise.accept must be "manual" or "auto", got "yes"'],
    [{ from: 'shadow', accept: 'auto' }, 'mirror.noise.accept must be "manual", or from the url of another instance'],
    [{ from: 'shadow', percent: 5 }, 'mirror.noise.percent (5) is not an option'],
    [{ from: 'shadow' }, 'mirror.noise must be left out, or compare.enabled given', {}],
    [{ from: 'shadow' }, 'mirror.noise must be left out, or compare.detailedDiff given', { enabled: true }]
  ] as Array<[NoiseOptions, string, CompareOptions?]>) {
    t.throws(() => read(noise, compare), new RegExp(message.replace(/[[\](){}.*+?]/g, '\\$&')), message)
  }
})
