import fc from 'fast-check'
import t from 'tap'
import { keyHash, Sampler } from '../../lib/decision/sampler'
import { HeadRules } from '../../lib/mirror/head-rules'
import { holds, same } from '../helpers/property'
import { seeded } from '../helpers/random'

type Header = readonly [name: string, value: string]

/** RFC 9110, section 7.6.1, and what a copy computes or is given anew. */
const NEVER = new Set([
  'connection', 'keep-alive', 'proxy-connection', 'te', 'trailer', 'transfer-encoding', 'upgrade', 'content-length', 'expect',
  'proxy-authorization', 'host', 'x-mirrored-from'
])
const NAMES = [...NEVER, 'x-a', 'x-b', 'accept', 'cookie', 'set-cookie', 'via', 'x', 'authorization', '__proto__', 'constructor', 'x-' + 'y'.repeat(300)]

const name = fc.tuple(fc.constantFrom(...NAMES), fc.boolean()).map(([text, loud]) => loud ? text.toUpperCase() : text)
/** As Node's parser lets it through: latin1 without control characters. */
const value = fc.string({ unit: fc.integer({ min: 0x20, max: 0xff }).filter(code => code !== 0x7f).map(code => String.fromCharCode(code)), maxLength: 12 })
const nominating = fc.array(fc.constantFrom('close', 'keep-alive', 'X-A', ' x-b ', 'upgrade', '', 'cookie', '__proto__'), { maxLength: 4 }).map(names => names.join())
const header = fc.oneof<[fc.Arbitrary<Header>, fc.Arbitrary<Header>]>(
  fc.tuple(name, value),
  fc.tuple(fc.constantFrom('Connection', 'connection'), nominating)
)
const removed = fc.uniqueArray(fc.constantFrom('x-a', 'accept', 'authorization'))

/** What is kept of a list, in the plainest of ways. */
function kept (list: readonly Header[], removed: string[]): Header[] {
  const nominated = list.filter(([name]) => name.toLowerCase() === 'connection').flatMap(([, names]) => names.split(','))
  const dropped = new Set([...NEVER, ...removed, ...nominated.map(name => name.trim().toLowerCase())])
  return list.filter(([name]) => !dropped.has(name.toLowerCase()))
}

/** Repeated ones joined, as Node does. */
function connectionOf (list: readonly Header[]): string | undefined {
  const values = list.filter(([name]) => name.toLowerCase() === 'connection').map(([, value]) => value)
  return values.length === 0 ? undefined : values.join(', ')
}

t.test('headers', async t => {
  await holds(t, 'that are end to end are copied in order, repeated ones kept, and no others', fc.property(fc.array(header), removed, (list, removed) => {
    const head = { rawHeaders: list.flat(), headers: { connection: connectionOf(list) } }
    same(new HeadRules(removed).endToEnd(head, false), kept(list, removed).flat())
  }), 2000)

  await holds(t, 'of HTTP/2 are the same, but for crumbs of a cookie, which are joined, and pseudo-headers', fc.property(fc.array(header), list => {
    const lower = list.map(([name, value]): Header => [name.toLowerCase(), value]).filter(([name]) => name !== 'connection')
    const rawHeaders = [':method', 'GET', ':path', '/', ...lower.flat()]
    const crumbs = lower.filter(([name]) => name === 'cookie').map(([, value]) => value).join('; ')
    let first = true
    const joined = kept(lower, []).flatMap(([name, value]) => {
      if (name !== 'cookie') return [name, value]
      const crumb = first ? [name, crumbs] : []
      first = false
      return crumb
    })
    same(new HeadRules([]).endToEnd({ rawHeaders, headers: {} }, true), joined)
  }), 1000)

  const anyText = fc.oneof(value, fc.string({ unit: 'binary', maxLength: 6 }), fc.constantFrom('a\r\nx-b: 1', '\0', '\n', 'é', '€', '\x7f'))
  const anyValue = fc.oneof({ weight: 6, arbitrary: anyText }, fc.array(anyText, { maxLength: 3 }), fc.anything())
  const rewritten = fc.array(fc.tuple(fc.oneof({ weight: 6, arbitrary: name }, anyText), anyValue), { maxLength: 4 })

  let taken = 0
  await holds(t, 'that a function of the user made are sent as they are, or not at all', fc.property(rewritten, nominating, (entries, connection) => {
    const headers = Object.fromEntries(entries)
    let list: string[] = []
    try {
      list = new HeadRules([]).ofRewritten(headers, connection)
      taken++
    } catch (error) {
      if (!(error instanceof TypeError)) throw error
      return
    }
    const wanted: Header[] = Object.entries(headers).flatMap(([name, values]) => {
      return values === undefined ? [] : [values].flat().map((value): Header => [name, String(value)])
    })
    const dropping: Header[] = [['connection', connection], ...wanted]
    same(list, kept(dropping, []).filter(([name]) => name[0] !== ':').flat())
    if (list.some(text => /[\r\n\0]/.test(text))) throw new Error('a header could be split')
  }), 3000)
  t.ok(taken > 300, `${taken} were sent`)
})

const percentage = fc.double({ min: 0, max: 100, noNaN: true })
const key = fc.string({ unit: 'binary', minLength: 1, maxLength: 40 })

t.test('the sampler', async t => {
  const never = () => { throw new Error('what has a key is not rolled') }

  await holds(t, 'decides alike on the same key in every process, and keeps whom it chose when the percentage is raised', fc.property(
    key, percentage, percentage, fc.constantFrom('v2', 'v3'), (key, one, other, backend) => {
      const [low, high] = [Math.min(one, other), Math.max(one, other)]
      for (const decide of [
        (percentage: number) => new Sampler(never).chosen(percentage, key),
        (percentage: number) => new Sampler(never).chosenBackend(percentage, key, backend)
      ]) {
        same(decide(low), decide(low), 'the same again')
        if (decide(low) && !decide(high)) throw new Error(`chosen at ${low} %, not at ${high} %`)
        same([decide(0), decide(100)], [false, true], 'none and all')
      }
    }
  ), 2000)

  // Six standard deviations: by chance one case in five hundred million is further off.
  const near = (count: number, share: number, of: number) => {
    const bound = 6 * Math.sqrt(of * share * (1 - share)) + 1
    if (Math.abs(count - share * of) > bound) throw new Error(`${count} of ${of}, wanted ${share * of} ± ${bound}`)
  }
  const N = 2000
  const prefix = fc.constantFrom('', 'u', 'user-', '00000000-0000-4000-8000-', 'a@b.example/')

  await holds(t, 'chooses its share of requests and of keys that count up', fc.property(percentage, fc.integer(), prefix, (percentage, seed, prefix) => {
    const sampler = new Sampler(seeded(seed))
    let rolled = 0
    let chosen = 0
    let both = 0
    for (let i = 0; i < N; i++) {
      const key = `${prefix}${(seed >>> 0) + i}`
      const takes = sampler.chosen(percentage, key)
      if (sampler.chosen(percentage, undefined)) rolled++
      if (takes) chosen++
      if (takes && sampler.chosenBackend(50, key, 'v2')) both++
    }
    const share = percentage / 100
    near(rolled, share, N)
    near(chosen, share, N)
    near(both, 0.5, chosen)
  }), 200)

  await holds(t, 'hashes to 32 bits', fc.property(key, key, (key, salt) => {
    const hash = keyHash(key, salt)
    if (!Number.isInteger(hash) || hash < 0 || hash >= 2 ** 32) throw new Error(String(hash))
  }), 500)
})
