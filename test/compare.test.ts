import { isDeepStrictEqual } from 'node:util'
import { setImmediate as turn } from 'node:timers/promises'
import zlib from 'node:zlib'
import t from 'tap'
import { BodyComparer } from '../lib/compare/bodies'
import { cut } from '../lib/compare/cut'
import { canonicalNumber } from '../lib/compare/decimal'
import { CodedComparer } from '../lib/compare/coded'
import { codingsOf, Decoder } from '../lib/compare/decode'
import { Digest } from '../lib/compare/digest'
import { diffHeaders, ignoredHeaders } from '../lib/compare/headers'
import { diffJson } from '../lib/compare/json/diff'
import { foldPointer, fromPointer, looksLikeId, toPointer } from '../lib/compare/pointer'
import { createRedactor } from '../lib/compare/redact'
import { renderJson } from '../lib/compare/render'
import { Slices } from '../lib/compare/slices'
import { readTape } from '../lib/compare/tape'
import { beginning } from '../lib/compare/user-info'
import { Budget } from '../lib/engine/budget'
import type { ComparedAnswer } from '../lib/compare/answer'
import type { BodyComparerOptions, BodyOutcome, CapturedBody } from '../lib/compare/bodies'
import type { Decoded } from '../lib/compare/decode'
import type { JsonDifference, JsonOutcome } from '../lib/compare/json/diff'
import { atOnce } from '../lib/steps'
import type { Steps } from '../lib/steps'
import { gc } from './helpers/gc'
import { ruleSet } from './helpers/rules'

// Work in slices does not keep a process alive, and here nothing else does.
const alive = setInterval(() => {}, 1000)
t.teardown(() => clearInterval(alive))

const usual = createRedactor([])

/** As a client has it that takes bytes of UTF-8 for characters. */
function latin1Of (text: string): string {
  return Buffer.from(text).toString('latin1')
}

function diff (primary: string, shadow: string, ignore: string[] = [], redact: string[] = []): JsonOutcome {
  return atOnce(diffJson(primary, shadow, { at: ruleSet({ ignoreJsonFields: ignore }).json.root, redactor: createRedactor(redact) }))
}

function differences (outcome: JsonOutcome): JsonDifference[] {
  if (outcome.kind !== 'different') throw new Error(`the outcome is ${outcome.kind}`)
  return outcome.differences
}

/** Each difference as `change pointer primary > shadow`, which reads well in a table. */
function shown (primary: string, shadow: string, ignore: string[] = [], redact: string[] = []): string | string[] {
  const outcome = diff(primary, shadow, ignore, redact)
  if (outcome.kind !== 'different') return outcome.kind
  return outcome.differences.map((d) => `${d.change} ${d.pointer} ${d.primary ?? ''} > ${d.shadow ?? ''}`)
}

t.test('coded bodies', async (t) => {
  const of = (body: string | Buffer | 'too long' | 'memory', encoding = '') => {
    const lost = body === 'too long' || body === 'memory'
    return { status: 200, encoding, headers: [], digest: Digest.of(body), body: lost ? body : Buffer.from(body) }
  }
  type Side = ReturnType<typeof of>
  const compare = (primary: Side, shadow: Side, more: Partial<ConstructorParameters<typeof CodedComparer>[0]> = {}) => {
    const comparer = new CodedComparer({ limit: 1e6, memory: new Budget(1e9), ...more })
    return new Promise(resolve => comparer.compare(primary as ComparedAnswer, shadow as ComparedAnswer, resolve))
  }
  const text = 'x'.repeat(300_000)
  const [quick, slow] = [1, 9].map(level => of(zlib.gzipSync(text, { level }), 'gzip'))

  t.test('are compared by what they decode to', async (t) => {
    const cases: Array<[string, Side, Side, string]> = [
      ['another compressor', quick, slow, 'match'],
      ['another coding', quick, of(zlib.brotliCompressSync(text), 'br'), 'match'],
      ['one is not coded', of(text, 'identity'), slow, 'match'],
      ['other contents', quick, of(zlib.gzipSync(text + 'y'), 'gzip'), 'mismatch'],
      ['too long', of('too long', 'gzip'), slow, 'encoding'],
      ['decodes to too much', quick, of(zlib.gzipSync(Buffer.alloc(2e6)), 'gzip'), 'too long'],
      ['decodes to too much on the primary\'s side', of(zlib.gzipSync(Buffer.alloc(2e6)), 'gzip'), quick, 'too long'],
      ['both decode to too much', ...[1, 9].map(level => of(zlib.gzipSync(Buffer.alloc(2e6), { level }), 'gzip')) as [Side, Side], 'encoding'],
      ['long, and not coded on the other side', of('x'.repeat(1e6 + 1)), quick, 'mismatch'],
      ['as long as anything may be, and not coded on the other side', of('x'.repeat(1e6 + 1)), of(zlib.gzipSync(Buffer.alloc(2e6)), 'gzip'), 'encoding'],
      ['no memory', quick, of('memory', 'gzip'), 'memory'],
      ['unknown', of('a', 'sdch'), of('b', 'sdch'), 'encoding'],
      ['broken', of('a', 'gzip'), slow, 'not decodable'],
      ['broken in another coding', quick, of('b', 'br'), 'encoding']
    ]
    for (const [name, primary, shadow, expected] of cases) t.equal(await compare(primary, shadow), expected, name)
  })

  t.test('are decoded as far as the memory goes, and give it back', async (t) => {
    for (const [limit, expected] of [[text.length - 1, 'memory'], [text.length, 'match']] as const) {
      const memory = new Budget(limit)
      t.equal(await compare(quick, slow, { memory }), expected)
      t.equal(memory.used, 0)
    }
  })

  t.test('are not compared when too many wait', async (t) => {
    const memory = new Budget(1e9)
    const slices = new Slices()
    const never = (function * (): Steps<void> { for (;;) yield })()
    for (let i = 0; i < 64; i++) slices.run(never, () => {})
    t.equal(await compare(quick, slow, { slices, memory }), 'busy')
    t.equal(memory.used, 0)
    never.return()
  })
})

t.test('headers', async (t) => {
  const ignore = ignoredHeaders([])

  t.test('are compared by name without case, with all values in their order', async (t) => {
    const cases: Array<[string, string[], string[], object[]]> = [
      ['the same', ['A', '1', 'b', '2'], ['b', '2', 'a', '1'], []],
      ['another value', ['a', '1'], ['a', '2'], [{ name: 'a', primary: ['1'], shadow: ['2'] }]],
      ['only the primary', ['x-a', '1'], [], [{ name: 'x-a', primary: ['1'], shadow: [] }]],
      ['only the shadow', [], ['X-A', '1'], [{ name: 'x-a', primary: [], shadow: ['1'] }]],
      ['the second value', ['set-cookie', 'a=1', 'Set-Cookie', 'b=1'], ['set-cookie', 'a=1', 'set-cookie', 'b=2'],
        [{ name: 'set-cookie', primary: ['a=1', 'b=1'], shadow: ['a=1', 'b=2'] }]],
      ['another order of values', ['vary', 'a', 'vary', 'b'], ['vary', 'b', 'vary', 'a'],
        [{ name: 'vary', primary: ['a', 'b'], shadow: ['b', 'a'] }]],
      ['one value less', ['vary', 'a', 'vary', 'b'], ['vary', 'a'], [{ name: 'vary', primary: ['a', 'b'], shadow: ['a'] }]],
      ['a value in another case', ['a', 'x'], ['a', 'X'], [{ name: 'a', primary: ['x'], shadow: ['X'] }]],
      ['an empty value is one', ['a', ''], [], [{ name: 'a', primary: [''], shadow: [] }]],
      ['what one side sends as UTF-8, and the other as ISO 8859-1', ['a', 'Jos\xe9'], ['a', latin1Of('Jos\xe9')], []],
      ['what was taken for bytes twice', ['vary', latin1Of(latin1Of('\xe9')), 'vary', 'b'], ['vary', '\xe9, b'], []],
      ['what is beyond ISO 8859-1', ['a', '€'], ['a', latin1Of('€')], []],
      ['what differs beyond ASCII', ['a', 'Jos\xe9'], ['a', latin1Of('Jos\xe8')], [{ name: 'a', primary: ['Jos\xe9'], shadow: ['Jos\xe8'] }]],
      ['what one side alone has beyond ASCII', [], ['a', latin1Of('\xe9')], [{ name: 'a', primary: [], shadow: ['\xe9'] }]],
      ['values in one line', ['vary', 'a', 'vary', 'b'], ['vary', 'a, b'], []],
      ['no value in one line', ['vary', ''], [], [{ name: 'vary', primary: [''], shadow: [] }]],
      ['cookies in one line', ['set-cookie', 'a', 'set-cookie', 'b'], ['set-cookie', 'a, b'],
        [{ name: 'set-cookie', primary: ['a', 'b'], shadow: ['a, b'] }]],
      ['__proto__', ['__proto__', '1'], ['__proto__', '2'], [{ name: '__proto__', primary: ['1'], shadow: ['2'] }]],
      ['a name without value', ['a'], [], []]
    ]
    for (const [name, primary, shadow, expected] of cases) t.same(diffHeaders(primary, shadow, ignore), expected, name)
  })

  t.test('are sorted by name', async (t) => {
    t.same(diffHeaders(['c', '1', 'b', '1', 'd', '1'], ['a', '1', 'e', '1'], ignore).map(({ name }) => name), ['a', 'b', 'c', 'd', 'e'])
  })

  t.test('that say nothing of the answer are left out, and the user\'s', async (t) => {
    const always = ['Date', 'Age', 'X-Request-Id', 'Connection', 'Keep-Alive', 'Transfer-Encoding', 'Content-Length']
    t.same(diffHeaders(always.flatMap((name) => [name, '1']), always.flatMap((name) => [name, '2']), ignore), [])
    t.same(diffHeaders(['etag', '1'], ['ETag', '2'], ignoredHeaders(['ETag'])), [])
    t.equal(diffHeaders(['etag', '1'], ['ETag', '2'], ignore).length, 1)
  })
})

t.test('JSON documents', async (t) => {
  t.test('are compared as values', async (t) => {
    const cases: Array<[primary: string, shadow: string, expected: string | string[]]> = [
      ['{"a":1,"b":[true,null,"x"]}', ' { "b" : [ true , null , "x" ] , "a" : 1 } ', 'equal'],
      ['\t\r\n[ ]', '[]', 'equal'],
      ['{}', '{ }', 'equal'],
      ['"a\\u0062c\\/"', '"abc/"', 'equal'],
      ['{"\\u0061":1,"b":2}', '{"b":2,"a":1}', 'equal'],
      ['"\\ud83d\\ude00"', '"😀"', 'equal'],
      ['"\\ud83d"', '"\\ud83e"', ['changed  "\\ud83d" > "\\ud83e"']],
      ['1', '2', ['changed  1 > 2']],
      ['1', '"1"', ['type  1 > "1"']],
      ['"1"', '1', ['type  "1" > 1']],
      ['true', 'false', ['changed  true > false']],
      ['null', '0', ['type  null > 0']],
      ['{}', '[]', ['type  {} > []']],
      ['{"a":1}', '"x"', ['type  {"a":1} > "x"']],
      ['"a"', '"b"', ['changed  "a" > "b"']],
      ['"a"', '"\\u0062"', ['changed  "a" > "\\u0062"']],
      ['{"a":{"b":[1,{"c":2}]}}', '{"a":{"b":[1,{"c":3}]}}', ['changed /a/b/1/c 2 > 3']],
      ['{"a":1}', '{"a":1,"b":[2, 3]}', ['added /b  > [2,3]']],
      ['{"a":1,"b":{ "c": 2 }}', '{"a":1}', ['removed /b {"c":2} > ']],
      ['{"a":1,"b":2,"c":3}', '{"c":4,"d":5,"a":1}', ['removed /b 2 > ', 'changed /c 3 > 4', 'added /d  > 5']],
      ['{"a":1}', '{}', ['removed /a 1 > ']],
      ['{}', '{"a":1}', ['added /a  > 1']],
      ['[1,2,3]', '[1,3]', ['removed /1 2 > ']],
      ['[]', '[[]]', ['added /0  > []']],
      ['{"a/b":{"~":1}}', '{"a/b":{"~":2}}', ['changed /a~1b/~0 1 > 2']],
      ['{"":{"":1}}', '{"":{"":2}}', ['changed // 1 > 2']],
      ['{"é":1}', '{"é":2}', ['changed /é 1 > 2']]
    ]
    for (const [primary, shadow, expected] of cases) t.same(shown(primary, shadow), expected, `${primary} and ${shadow}`)
  })

  t.test('have keys that are data, whatever they are called', async (t) => {
    for (const key of ['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty', 'length', '0', '-1']) {
      const name = JSON.stringify(key)
      t.same(shown(`{${name}:1,"x":1}`, `{"x":1,${name}:2}`), [`changed /${key} 1 > 2`], key)
      t.same(shown('{"x":1}', `{${name}:{"polluted":1},"x":1}`), [`added /${key}  > {"polluted":1}`], key)
    }
    t.notOk('polluted' in {})
  })

  t.test('have numbers, which are equal by exact value', async (t) => {
    const equal = [
      ['1', '1.0'], ['100', '1e2'], ['1E+2', '1e02'], ['0', '-0'], ['0.0', '0e99'], ['10e-1', '1'], ['0.10', '0.1'],
      ['1.5e3', '1500'], ['-12.50', '-1250e-2'], ['1e1000000', '10e999999'], ['1e00000000000000000000005', '100000'],
      ['123456789012345678901234567890', '1.2345678901234567890123456789e29'], ['1e-00', '1'],
      ['1e9999999999999999999', '1e+9999999999999999999'], ['1e1000000000000000', '10e999999999999999'],
      ['1e-1000000000000000', '0.1e-999999999999999'], ['1e10000000000000000', '10e9999999999999999'],
      ['0.1e10000000000000000', '1e9999999999999999'], ['10e199999999999999999', '1e200000000000000000'], ['1e-99999999999999999', '10e-100000000000000000'],
      ['10e999999999999999999', '1e1000000000000000000']
    ]
    const different = [
      ['9007199254740993', '9007199254740992'], ['0.1', '0.1000000000000000055511151231257827'], ['1', '-1'],
      ['1e400', '1e401'], ['1e400', '-1e400'], ['5e-400', '0'], ['0.30000000000000004', '0.3'], ['10', '1'],
      ['12345678901234567890.1', '12345678901234567890.2'], ['1e9999999999999999999', '1e9999999999999999998'],
      ['1e9999999999999999999', '1e-9999999999999999999']
    ]
    for (const [a, b] of equal) t.equal(shown(`[${a}]`, `[${b}]`), 'equal', `${a} is ${b}`)
    for (const [a, b] of different) t.same(shown(`[${a}]`, `[${b}]`), [`changed /0 ${a} > ${b}`], `${a} is not ${b}`)
    const start = Date.now()
    t.not(canonicalNumber(`1${'0'.repeat(1e6)}1`), canonicalNumber(`1${'0'.repeat(1e6)}2`))
    t.ok(Date.now() - start < 2000, 'in linear time')
  })

  t.test('that repeat a key are not taken to be equal where they differ', async (t) => {
    const cases: Array<[string, string, string | string[]]> = [
      ['{"a":1,"a":2}', '{"a":1, "a":2}', 'equal'],
      ['{"a":1,"a":2}', '{"a":3,"a":2}', ['changed /a 1 > 3']],
      ['{"a":1,"a":2}', '{"a":2}', 'not json'],
      ['{"a":1,"a":2}', '{"a":2,"a":1}', ['changed /a 1 > 2', 'changed /a 2 > 1']],
      ['{"a":1}', '{"a":1,"a":1}', 'not json'],
      ['{"a":1,"b":2,"a":1}', '{"a":1,"b":2}', 'not json'],
      ['{"a":1,"b":2,"\\u0061":3}', '{"a":1,"b":2,"c":3}', 'not json'],
      ['{"b":1,"a":1}', '{"a":1,"b":1,"a":2}', 'not json']
    ]
    for (const [primary, shadow, expected] of cases) {
      t.same(shown(primary, shadow), expected, `${primary} and ${shadow}`)
    }
  })

  t.test('are told from what is not JSON as JSON.parse tells them', async (t) => {
    const texts = [
      '', ' ', '{', '[', '"', '{}', '[]', '[1', '[1,', '[1,]', '[,1]', '[1 2]', '{"a"}', '{"a":}', '{"a":1,}', '{,}', '{a:1}',
      "{'a':1}", '{"a":1 "b":2}', '{"a":1]', '[1}', '{1:1}', '[[]', '[]]', '{}{}', '1 2', '"a', '"\\"', '"\\x"', '"\\u12"', '"\\u12g4"',
      '"\\u12G4"', '"\\uAbCd"', '"\\', '"\t"', '"\n"', '"\u007f"', '"\u2028"', '"\\b\\f\\n\\r\\t\\"\\\\\\/"', 'tru', 'true', 'truer', 'nul', 'null',
      'fals', 'false', 'NaN', 'Infinity', '-', '-1', '--1', '+1', '01', '-01', '0', '-0', '1.', '.1', '1.5', '1.e1', '1e', '1e+', '1e-1', '1E5',
      '0x1', '1_0', '\u00a01', '\ufeff1', '\f1', '\v1', '1\n', 'undefined', '[null,true,false]', '{"a":[{"b":{}}]}', '/**/1', '[1]//',
      '"\ud800"', '{"a":1,"a":2}', '{"a" :1}', '[1 ,2]', '[\n]', '{\n}', '"' + 'x'.repeat(100), '[-]', '[1e]', '{"a":tru}', '{"a":01}', '{"a":[}', '{"a"1}'
    ]
    t.same(texts.filter((text) => (atOnce(readTape(text)).state === 'complete') !== parses(text)), [])
    t.equal(texts.filter(parses).length, 24)
    t.equal(shown('{', '{}'), 'not json')
    t.equal(shown('{}', '{'), 'not json')
  })

  t.test('are compared as their parsed values are, whatever they hold', async (t) => {
    const random = generator(7)
    let equal = 0
    for (let i = 0; i < 3000; i++) {
      const value = randomValue(random, 4)
      const other = random() < 0.3 ? value : changed(value, random)
      const primary = JSON.stringify(value, null, random() < 0.5 ? 2 : 0)
      const shadow = JSON.stringify(shuffled(other, random))
      const same = isDeepStrictEqual(value, other)
      if (same) equal++
      if ((shown(primary, shadow) === 'equal') !== same) t.fail(`${primary} and ${shadow}`)
      const back = shown(shadow, primary)
      if ((back === 'equal') !== same) t.fail(`${shadow} and ${primary}`)
    }
    t.ok(equal > 500 && equal < 2500, 'of both kinds there were many')
  })

  t.test('that were mutilated throw nothing', async (t) => {
    const random = generator(11)
    for (let i = 0; i < 3000; i++) {
      let text = JSON.stringify(randomValue(random, 3))
      const at = Math.floor(random() * text.length)
      text = text.slice(0, at) + '{}[]",:\\u0e-.tfn '[Math.floor(random() * 17)] + text.slice(at + Math.floor(random() * 3))
      const { state } = atOnce(readTape(text))
      if ((state === 'complete') !== parses(text)) t.fail(text)
      const tape = atOnce(readTape(text))
      usual.json(tape, 0, 50)
      diff(text, '{"a":1}')
    }
  })

  t.test('show values without white space, cut at 200 characters', async (t) => {
    const long = 'x'.repeat(1000)
    const [text] = differences(diff(`{"a":"${long}"}`, '{"a":1}'))
    t.equal(text.primary, `"${'x'.repeat(198)}…`)
    const [list] = differences(diff(`{"a":[${'{"k" : "v"}, '.repeat(100)} 1]}`, '{"a":1}'))
    t.equal(list.primary?.length, 200)
    t.ok(list.primary?.startsWith('[{"k":"v"},{"k":"v"},'))
    t.equal(differences(diff('"a"', `"${'😀'.repeat(200)}"`))[0].shadow, `"${'😀'.repeat(99)}…`)
    t.equal(cut('ab😀cd', 4), 'ab…', 'not within a surrogate pair')
    t.equal(cut('ab😀cd', 5), 'ab😀…')
    t.equal(cut('abc', 3), 'abc')
    t.equal(cut('\ud800', 3), '\ud800')
    t.same(shown('{"a":{}}', '{"a":{"b":{"c":[1,[2,{}]]},"d":null}}'), ['added /a/b  > {"c":[1,[2,{}]]}', 'added /a/d  > null'])
  })

  t.test('are read only as far as they are shown', async (t) => {
    let read = 0
    const masking = {
      isSecret: () => { read++; return false },
      mentionsSecret: () => false,
      text: (text: string) => { read += text.length; return text }
    }
    for (const text of [`{${'"a":1,'.repeat(10_000)}"a":1}`, `[${'"a",'.repeat(10_000)}1]`, `"${'a'.repeat(10_000)}"`]) {
      read = 0
      const rendered = renderJson(atOnce(readTape(text)), 0, 200, masking)
      t.equal(rendered.text.length, 200)
      t.ok(read <= 200 + 256)
      t.equal(rendered.masked, false)
    }
  })

  t.test('are not kept in memory by what is shown of them', async (t) => {
    const kept: JsonOutcome[] = []
    gc()
    const before = process.memoryUsage().heapUsed
    for (let i = 0; i < 30; i++) kept.push(diff(`{"a":"${'some text '.repeat(9)}${i}","b":"${'x'.repeat(1e6)}"}`, `{"a":${'7'.repeat(1e6)}}`))
    gc()
    t.ok(process.memoryUsage().heapUsed - before < 10e6)
    t.equal(kept.length, 30)
  })

  t.test('list a bounded number of differences, and of alike ones the first few', async (t) => {
    const items = (price: number): string => JSON.stringify({
      items: Array.from({ length: 1000 }, (_, id) => ({ id, price })), total: price
    })
    const outcome = diff(items(1), items(2))
    t.match(outcome, { kind: 'different', truncated: true })
    t.same(differences(outcome).map(({ pointer }) => pointer),
      ['/items/0/price', '/items/1/price', '/total'], 'the rare one is not lost')

    const names = (length: number, value: number): string => JSON.stringify(
      Object.fromEntries(Array.from({ length }, (_, i) => [`field${String.fromCharCode(97 + i / 26, 97 + i % 26)}`, value])))
    t.match(diff(names(100, 1), names(100, 2)), { truncated: false })
    t.equal(differences(diff(names(100, 1), names(100, 2))).length, 100)
    t.match(diff(names(129, 1), names(129, 2)), { truncated: true })
    t.equal(differences(diff(names(129, 1), names(129, 2))).length, 128)

    const long = (value: string): string => JSON.stringify(
      Object.fromEntries(Array.from({ length: 128 }, (_, i) => [`${'k'.repeat(20)}${String.fromCharCode(97 + i / 26, 97 + i % 26)}`, value.repeat(200)])))
    const shown = differences(diff(long('1'), long('2')))
    t.same([shown[0].primary?.length, shown.at(-1)?.primary?.length], [200, 40], 'values are shorter where there are many')
    const deep = (value: number): string => `{"${'a'.repeat(45)}":`.repeat(8) + names(120, value) + '}'.repeat(8)
    const bounded = diff(deep(1), deep(2))
    t.match(bounded, { truncated: true, places: { more: true } }, 'names of places are bounded together')
    const secret = (value: number): string => JSON.stringify(Object.fromEntries(['abc', 'xyz'].map(key => [`token=${key}`, value])))
    const masked = diff(secret(1), secret(2))
    t.match(masked, { places: { keys: { length: 1 }, more: false } }, 'masked, two have one name')

    const ids = (value: number): string => JSON.stringify(Array.from({ length: 6000 }, () => value))
    t.match(diff(`[${ids(1)},1]`, `[${ids(2)},2]`), { truncated: true })
    t.equal(differences(diff(`[${ids(1)},1]`, `[${ids(2)},2]`)).length, 2, 'past 5000 the rest is left alone')
  })

  t.test('that are too deep or hold too much are not looked into', async (t) => {
    const deep = (depth: number, value: string): string => '['.repeat(depth) + value + ']'.repeat(depth)
    t.match(diff(deep(256, '1'), deep(256, '2')), { kind: 'different' })
    t.same(diff(deep(257, '1'), deep(257, '2')), { kind: 'too complex' })
    t.same(diff('1', deep(257, '2')), { kind: 'too complex' })
    t.same(diff('{"a":'.repeat(100_000), '{}'), { kind: 'too complex' })
    t.same(diff(`[${'0,'.repeat(300_000)}0]`, '[]'), { kind: 'too complex' })
    t.ok(differences(diff(deep(256, '1'), deep(256, '2')))[0].pointer.length < 500)
    const [{ pointer }] = differences(diff('{}', `{"${'k'.repeat(10_000)}":1}`))
    t.equal(pointer, `/${'k'.repeat(100)}…`)
  })

  t.test('are read and compared in short steps', async (t) => {
    const documents: Array<[string, string, string]> = [
      ['items', JSON.stringify(Array(20_000).fill({ a: 1 })), JSON.stringify(Array(20_000).fill({ a: 2 }))],
      ['keys', `{${Array.from({ length: 50_000 }, (_, i) => `"k${i}":1`)}}`,
        `{${Array.from({ length: 50_000 }, (_, i) => `"k${50_000 - i}":1`)}}`]
    ]
    for (const [name, primary, shadow] of documents) {
      const steps = diffJson(primary, shadow, { at: ruleSet().json.root, redactor: usual })
      let count = 0
      while (steps.next().done !== true) count++
      t.ok(count > 100, name)
    }
  })
})

t.test('ignored JSON fields', async (t) => {
  t.test('are pointers or dotted paths, with * for any key or index', async (t) => {
    const document = (value: unknown): string => JSON.stringify({
      user: { lastSeen: value, name: 'a' }, items: [{ id: 1, updatedAt: value }, { id: 2, updatedAt: value }], 'a/b': { '~': value, '': value }, 'x.y': value
    })
    const all = ['/user/lastSeen', '/items/0/updatedAt', '/items/1/updatedAt', '/a~1b/~0', '/a~1b/', '/x.y']
    const cases: Array<[ignore: string[], left: string[]]> = [
      [[], all],
      [['/user/lastSeen'], all.slice(1)],
      [['user.lastSeen'], all.slice(1)],
      [['user'], all.slice(1)],
      [['*.lastSeen'], all.slice(1)],
      [['user.*'], all.slice(1)],
      [['/items/*/updatedAt'], [all[0], ...all.slice(3)]],
      [['items.*.updatedAt'], [all[0], ...all.slice(3)]],
      [['*/*/updatedAt'], all],
      [['/*/*/updatedAt'], [all[0], ...all.slice(3)]],
      [['/items/*'], [all[0], ...all.slice(3)]],
      [['/items/1/updatedAt', 'items.0.updatedAt'], [all[0], ...all.slice(3)]],
      [['/a~1b/~0', '/a~1b/', '/x.y'], all.slice(0, 3)],
      [['x.y', '/user/lastseen', '/user/lastSeen/x', 'items.0'], [all[0], ...all.slice(2)]],
      [['/*'], []],
      [['*'], []],
      [[''], []],
      [['/user/*', '/*/0', '/items/*/updatedAt', '/a~1b', '/x.y'], []]
    ]
    for (const [ignore, left] of cases) {
      const outcome = diff(document('1'), document('a longer value'), ignore)
      t.same(outcome.kind === 'equal' ? [] : differences(outcome).map(({ pointer }) => pointer), left, ignore.join(' '))
    }
  })

  t.test('match when they are missing, of another type, or longer', async (t) => {
    const cases: Array<[string, string, string[]]> = [
      ['{"a":1}', '{"a":1,"t":5}', ['/t']],
      ['{"t":5,"a":1}', '{"a":1}', ['t']],
      ['{"a":[{"t":1},{}]}', '{"a":[{},{"t":{"x":[1,2,3]}}]}', ['/a/*/t']],
      ['[1,2]', '[1,2,3,4]', ['/2', '/3']],
      ['[1,2]', '[]', ['/*']],
      ['{"__proto__":{"t":1}}', '{"__proto__":{"t":2}}', ['/__proto__/t']],
      ['{"*":1}', '{"*":2}', ['/*']],
      ['{"*":1}', '{"*":2}', ['/~2']],
      ['{"a[0]":{"~2/":1}}', '{"a[0]":{"~2/":2}}', ['/a~30]/~02~1']]
    ]
    for (const [primary, shadow, ignore] of cases) t.equal(shown(primary, shadow, ignore), 'equal', `${primary} ${ignore}`)
    t.not(shown('{"a":1}', '{"a":2}', ['/~2']), 'equal', 'a literal star is no wildcard')
    t.same(shown('{"m":{"t":1}}', '{}', ['/m/t']), ['removed /m {"t":1} > '], 'what holds one is not one itself')
  })
})

t.test('pointers', async (t) => {
  t.test('escape, unescape and have a bounded length', async (t) => {
    for (const segments of [[], [''], ['a', 'b/c', '~1', '~', '0']]) t.same(fromPointer(toPointer(segments)), segments)
    t.equal(toPointer(['a/b', 'm~n']), '/a~1b/m~0n')
    t.ok(toPointer(Array(1000).fill('x'.repeat(1000))).length < 700)
    t.match(toPointer(Array(1000).fill('abcdefghi')), /\/…$/)
  })

  t.test('fold keys that look like ids, and no names', async (t) => {
    const ids = [
      '0', '17', '550e8400-e29b-41d4-a716-446655440000', '550E8400E29B41D4A716446655440000', '01ARZ3NDEKTSV4RRFFQ69G5FAV', 'da39a3ee5e6b4b0d',
      'deadbeef01', 'ann@example.com', '2024-01-15', '2024-01-15T10:00:00.000Z', '10.0.0.1', '1.5', 'cus_9s6XKzkNRldiz8i3', 'user-1234',
      'order_100', 'V1StGXR8_Z5jdHi6B-myT', 'https://example.com/', 'x'.repeat(65), '٣', 'urn:isbn:12345', '+49 30 1234'
    ]
    const names = [
      'id', 'items', 'line1', 'address_2', 'createdAt', 'sha256', 'iso8601Timestamp', 'addressLine1Description', 'utf_8', 'Facade', 'deadbeef',
      'x-y-z', 'decade', '__proto__', '', '-', 'é', '名前', 'a1b2', 'some_quite_long_name_of_a_field_in_words', 'v1', 'http2'
    ]
    for (const key of ids) t.ok(looksLikeId(key), key)
    for (const key of names) t.notOk(looksLikeId(key), key)
    t.equal(foldPointer('/users/ann@example.com/orders/0/a~1b'), '/users/*/orders/*/a~1b')
    t.equal(foldPointer(''), '')
  })
})

t.test('content codings', async (t) => {
  const body = Buffer.from('{"hello":"world"}'.repeat(50))
  const decode = (bytes: Buffer, coding: string | undefined, limit = 1e6, decoder = new Decoder()): Promise<Decoded> =>
    new Promise((resolve) => decoder.decode(bytes, coding, limit, resolve))

  t.test('are taken off', async (t) => {
    const cases: Array<[string | undefined, Buffer]> = [
      [undefined, body],
      ['', body],
      ['identity', body],
      ['gzip', zlib.gzipSync(body)],
      ['x-gzip', zlib.gzipSync(body)],
      [' GZip , identity', zlib.gzipSync(body)],
      ['deflate', zlib.deflateSync(body)],
      ['deflate', zlib.deflateRawSync(body)],
      ['br', zlib.brotliCompressSync(body)],
      ['gzip, br', zlib.brotliCompressSync(zlib.gzipSync(body))],
      ['deflate, gzip, br', zlib.brotliCompressSync(zlib.gzipSync(zlib.deflateSync(body)))]
    ]
    // Bare streams that begin almost as wrapped ones do: a padding bit in a stored block, and a checksum that is right by chance.
    cases.push(['deflate', Buffer.concat([Buffer.from([0x08, 0, 0, 0xff, 0xff]), zlib.deflateRawSync(body)])])
    const bare = Array.from({ length: 1000 }, (_, i) => zlib.deflateRawSync(`${i}${body.toString()}`))
    const unlucky = bare.filter((bytes) => bytes.readUInt16BE(0) % 31 === 0)
    t.not(unlucky.length, 0)
    for (const bytes of unlucky) t.same(await decode(bytes, 'deflate'), zlib.inflateRawSync(bytes))
    const { zstdCompressSync } = zlib as unknown as { zstdCompressSync?: (body: Buffer) => Buffer }
    if (zstdCompressSync !== undefined) cases.push(['zstd', zstdCompressSync(body)])
    for (const [coding, bytes] of cases) t.same(await decode(bytes, coding), body, String(coding))
    t.same(await decode(Buffer.alloc(0), 'gzip'), Buffer.alloc(0), 'no body, as of HEAD')
    t.same(codingsOf(' X-GZIP ,, identity,Br, x-compress'), ['gzip', 'br', 'compress'])
  })

  t.test('that cannot be are told', async (t) => {
    const { zstdDecompress } = zlib as unknown as { zstdDecompress?: unknown }
    const cases: Array<[string, Buffer, string, number?]> = [
      ['compress', body, 'encoding'],
      ['constructor', body, 'encoding'],
      ['gzip, sdch', zlib.gzipSync(body), 'encoding'],
      ['gzip, gzip, gzip, gzip', zlib.gzipSync(body), 'encoding'],
      ['zstd', body, zstdDecompress === undefined ? 'encoding' : 'not decodable'],
      ['gzip', body, 'not decodable'],
      ['gzip', zlib.gzipSync(body).subarray(0, -9), 'not decodable'],
      ['br', body, 'not decodable'],
      ['deflate', Buffer.from('x'), 'not decodable'],
      ['deflate', body, 'not decodable'],
      ['gzip, br', zlib.brotliCompressSync(body), 'not decodable'],
      ['identity', body, 'too long', body.length - 1],
      ['gzip', zlib.gzipSync(body), 'too long', body.length - 1]
    ]
    for (const [coding, bytes, expected, limit] of cases) t.equal(await decode(bytes, coding, limit), expected, coding)
    t.same(await decode(zlib.gzipSync(body), 'gzip', body.length), body)
  })

  t.test('that would decode to gigabytes end at the limit', async (t) => {
    const zeros = Buffer.alloc(50e6)
    const bombs: Array<[string, Buffer]> = [
      ['gzip, gzip', zlib.gzipSync(zlib.gzipSync(zeros, { level: 1 }))],
      ['br', zlib.brotliCompressSync(zeros, { params: { [zlib.constants.BROTLI_PARAM_QUALITY]: 1 } })]
    ]
    const before = process.memoryUsage().rss
    for (const [coding, bomb] of bombs) t.equal(await decode(bomb, coding), 'too long', coding)
    t.ok(process.memoryUsage().rss - before < 30e6)
  })

  t.test('are taken off one body at a time, in turn, and no more than so many wait', async (t) => {
    const decoder = new Decoder()
    const order: number[] = []
    const results = Array.from({ length: 66 }, (_, index) =>
      decode(zlib.gzipSync(index === 0 ? Buffer.alloc(3e5) : body), 'gzip', 1e6, decoder).then((result) => {
        order.push(index)
        return result
      }))
    t.equal(await results[65], 'busy')
    t.same(order, [65])
    t.same(await results[64], body)
    t.same(order.slice(1), Array.from({ length: 65 }, (_, index) => index))
    t.same(await decode(zlib.gzipSync(body), 'gzip', 1e6, decoder), body)
  })
})

t.test('long work', async (t) => {
  let taken = 0
  function * burn (steps: number, ms: number): Steps<number> {
    for (let step = 0; step < steps; step++) {
      taken++
      const end = performance.now() + ms
      while (performance.now() < end);
      yield
    }
    return steps
  }

  t.test('that is short ends at once', async (t) => {
    const slices = new Slices()
    let result
    t.ok(slices.run(burn(1, 0), (value) => { result = value }))
    t.equal(result, 1)
  })

  t.test('leaves most of the time to everything else, and ends', async (t) => {
    const slices = new Slices()
    const results: number[] = []
    const start = performance.now()
    slices.run(burn(60, 1), (value) => results.push(value))
    let most = 0
    while (results.length === 0) {
      most = Math.max(most, taken)
      taken = 0
      await turn()
    }
    t.same(results, [60])
    t.ok(performance.now() - start > 200, '60 ms of work take a fifth of the time')
    t.ok(most <= 5, 'a few milliseconds at a stretch')
  })

  t.test('is done in turn, also when a callback brings more', async (t) => {
    const slices = new Slices(1)
    const order: string[] = []
    await new Promise<void>((resolve) => {
      slices.run(burn(10, 1), () => order.push('first'))
      slices.run(burn(1, 0), () => {
        order.push('second')
        slices.run(burn(1, 0), () => {
          order.push('fourth')
          resolve()
        })
        order.push('the end of second')
      })
      slices.run(burn(1, 0), () => order.push('third'))
    })
    t.same(order, ['first', 'second', 'the end of second', 'third', 'fourth'])
  })

  t.test('that comes again and again takes no more than its share', async (t) => {
    const slices = new Slices()
    const start = performance.now()
    const done: number[] = []
    while (performance.now() - start < 400) {
      slices.run(burn(1, 1), (steps) => done.push(steps))
      burn(1, 1).next() // what else the thread has to do
      await turn()
    }
    t.ok(done.length <= 0.2 * (performance.now() - start) + 4)
  })

  t.test('is refused when too much waits', async (t) => {
    const slices = new Slices(1)
    const done: number[] = []
    const answers = Array.from({ length: 70 }, () => slices.run(burn(5, 1), (steps) => done.push(steps)))
    t.same(answers, Array.from({ length: 70 }, (_, index) => index < 64))
    t.equal(done.length, 0)
    while (done.length < 64) await turn()
    t.ok(slices.run(burn(1, 0), () => {}))
  })
})

t.test('bodies', async (t) => {
  const json = 'application/json; charset=utf-8'

  function side (body: string | Uint8Array | null, contentType?: string, contentEncoding?: string): CapturedBody {
    return { bytes: typeof body === 'string' ? Buffer.from(body) : body, contentType, contentEncoding }
  }

  function compare (primary: CapturedBody, shadow: CapturedBody, more: Partial<BodyComparerOptions> = {}): Promise<BodyOutcome> {
    const comparer = new BodyComparer({ limit: 1e6, memory: new Budget(1e9), redactor: usual, ...more })
    return new Promise((resolve) => comparer.compare(primary, shadow, ruleSet({ ignoreJsonFields: ['/t'] }), resolve))
  }

  const match = { outcome: 'match' }
  const hash = (reason: string): object => ({ outcome: 'mismatch', difference: { kind: 'hash', reason } })
  const bytes = (kind: string, primaryLength: number, shadowLength: number, offset: number): object =>
    ({ outcome: 'mismatch', difference: { kind, primaryLength, shadowLength, offset } })
  const changed = (primary: string, shadow: string): object => ({
    outcome: 'mismatch',
    difference: { kind: 'json', differences: [{ pointer: '/a', change: 'changed', primary, shadow }], truncated: false },
    places: { keys: ['changed /a'], firsts: [0], more: false }
  })

  t.test('are looked into as far as they can be', async (t) => {
    const gzip = (text: string): Buffer => zlib.gzipSync(text)
    const cases: Array<[string, CapturedBody, CapturedBody, object]> = [
      ['JSON, other order', side('{"a":1,"b":2}', json), side('{ "b":2, "a":1 }', 'application/json'), match],
      ['JSON, an ignored field', side('{"a":1,"t":2}', json), side('{"a":1,"t":"much longer"}', json), match],
      ['JSON, a value', side('{"a":1}', json), side('{"a":2}', json), changed('1', '2')],
      ['JSON, other type', side('{"a":1}', 'application/problem+json'), side('{"a":2}', 'TEXT/JSON'), changed('1', '2')],
      ['JSON without type', side('{"a":1}'), side('{"a":2}'), changed('1', '2')],
      ['JSON in a plain Uint8Array', side(new Uint8Array(Buffer.from('{"a":1}'))), side('{ "a":1}'), match],
      ['one is not JSON', side('{"a":1}', json), side('<a/>', 'text/html'), bytes('text', 7, 4, 0)],
      ['both are not', side('{"a":1', json), side('{"a":2', json), bytes('text', 6, 6, 5)],
      ['repeated keys', side('{"a":1}', json), side('{"a":1,"a":1}', json), bytes('text', 7, 13, 6)],
      ['JSON with a bad byte', side(Buffer.from('"\xff"', 'latin1'), json), side(Buffer.from('"\xfe"', 'latin1'), json), bytes('binary', 3, 3, 1)],
      ['text', side('hello world', 'text/plain'), side('hello', 'text/plain'), bytes('text', 11, 5, 5)],
      ['text in bytes', side('é1', 'text/plain'), side('é2', 'text/plain'), bytes('text', 3, 3, 2)],
      ['nothing and something', side('', 'text/plain'), side('x', 'text/plain'), bytes('text', 0, 1, 0)],
      ['binary', side(Buffer.from([1, 2, 255])), side(Buffer.from([1, 2, 254])), bytes('binary', 3, 3, 2)],
      ['a NUL', side('a\0', 'text/plain'), side('a\0b', 'text/plain'), bytes('binary', 2, 3, 2)],
      ['a NUL in the shadow\'s alone', side('a', 'text/plain'), side('a\0', 'text/plain'), bytes('binary', 1, 2, 1)],
      ['far into it', side('x'.repeat(10_000) + 'a', 'text/plain'), side('x'.repeat(10_000) + 'b', 'text/plain'), bytes('text', 10_001, 10_001, 10_000)],
      ['codings differ, bytes do not', side(gzip('abc'), 'text/plain', 'gzip'), side('abc', 'text/plain'), match],
      ['codings differ, JSON does not', side(gzip('{"a":1}'), json, 'gzip'), side(zlib.brotliCompressSync('{ "a":1}'), json, 'br'), match],
      ['JSON in a coding', side(gzip('{"a":1}'), json, 'gzip'), side(gzip('{"a":2}'), json, 'GZIP'), changed('1', '2')],
      ['primary too long', side(null, json), side('{}', json), hash('too long')],
      ['shadow too long', side('{}', json), side(null, json), hash('too long')],
      ['primary decodes to too much', side(zlib.gzipSync(Buffer.alloc(2e6)), json, 'gzip'), side(gzip('{}'), json, 'gzip'), hash('too long')],
      ['shadow decodes to too much', side(gzip('{}'), json, 'gzip'), side(zlib.gzipSync(Buffer.alloc(2e6)), json, 'gzip'), hash('too long')],
      ['a coding that nobody knows', side('a', json, 'sdch'), side('b', json, 'sdch'), { outcome: 'unknown', reason: 'encoding' }],
      ['broken in a coding', side('a', json, 'gzip'), side('b', json, 'gzip'), hash('not decodable')],
      ['too long in different codings', side(null, json, 'gzip'), side(null, json, 'br'), { outcome: 'unknown', reason: 'encoding' }],
      ['unknown on one side', side('a', json, 'sdch'), side('b', json), { outcome: 'unknown', reason: 'encoding' }],
      ['too deep', side('['.repeat(1000), json), side('[]', json), hash('too complex')],
      ['too much JSON', side('1'.repeat(9 * 1024 * 1024), json), side('[]', json), hash('too long')]
    ]
    for (const [name, primary, shadow, expected] of cases) t.same(await compare(primary, shadow), expected, name)
    t.same(await compare(side('1'.repeat(9 * 1024 * 1024), json), side('[]', json), { limit: 1e8 }), hash('too complex'))
  })

  t.test('that are short are compared before the call returns', async (t) => {
    let outcome
    // Unless the machine has something else to do for longer than a slice.
    for (let tries = 0; tries < 100 && outcome === undefined; tries++) {
      const comparer = new BodyComparer({ limit: 100, memory: new Budget(0), redactor: usual, slices: new Slices() })
      let returned = false
      comparer.compare(side('{"a":1}', json), side('{"a":2}', json), ruleSet(), (result) => { if (!returned) outcome = result })
      returned = true
    }
    t.same(outcome, changed('1', '2'))
    t.same(structuredClone(outcome), outcome, 'plain data')
  })

  t.test('are not compared when too many wait', async (t) => {
    const alone = new Slices()
    const first = compare(side(JSON.stringify(Array(5e4).fill(1)), json), side(JSON.stringify(Array(5e4).fill(2)), json), { slices: alone })
    const rest = Array.from({ length: 64 }, () => compare(side('{"a":1}', json), side('{"a":2}', json), { slices: alone }))
    t.same(await rest[63], { outcome: 'unknown', reason: 'busy' })
    t.match(await first, { outcome: 'mismatch' })
    t.same(await rest[62], changed('1', '2'))

    const decoder = new Decoder()
    const gzip = side(zlib.gzipSync('{"a":1}'), json, 'gzip')
    const many = Array.from({ length: 70 }, () => compare(gzip, side('{ "a":1}', json), { decoder }))
    t.same(await many[69], { outcome: 'unknown', reason: 'busy' })
    t.same(await many[0], match)
  })

  t.test('are decoded as far as the memory goes, and give it back', async (t) => {
    const gzip = side(zlib.gzipSync('{"a":1}'), json, 'gzip')
    const full = { outcome: 'unknown', reason: 'memory' }
    const cases: Array<[limit: number, shadow: CapturedBody, expected: object]> = [
      [6, side('{ "a":1}', json), full], [7, side('{ "a":1}', json), match], [13, gzip, full], [14, gzip, match],
      [7, side('no gzip', json, 'gzip'), hash('not decodable')]
    ]
    for (const [limit, shadow, expected] of cases) {
      const memory = new Budget(limit)
      t.same(await compare(gzip, shadow, { memory }), expected, `${limit} bytes`)
      t.equal(memory.used, 0)
    }
  })

  t.test('that break the comparison end nothing else', async (t) => {
    const broken = { isSecret: (): boolean => { throw new Error('boom') }, json: usual.json, text: usual.text }
    t.same(await compare(side('{"a":1}', json), side('{"a":2}', json), { redactor: broken }), hash('too complex'))
  })
})

t.test('user info of a URL is no more shown than any secret', async t => {
  const cases: Array<[text: string, shown: string]> = [
    ['https://user:pass@shadow.test/a', 'https://[redacted]@shadow.test/a'],
    ['see ftp://me@a and //b, http://c:d:e@f?g', 'see ftp://[redacted]@a and //b, http://[redacted]@f?g'],
    ['http://a@b@c/', 'http://[redacted]@c/'],
    ['http://shadow.test/a@b?c@d#e@f', 'http://shadow.test/a@b?c@d#e@f'],
    ['http://shadow.test:8080', 'http://shadow.test:8080'],
    ['http://[::1]:8080 http://[::1]', 'http://[::1]:8080 http://[::1]'],
    ['mail@shadow.test: a://', 'mail@shadow.test: a://'],
    ['cut at http://user:pa', 'cut at http://[redacted]@'],
    ['/next=http%3A%2F%2Fuser%3Apass%40shadow.test', '[redacted]']
  ]
  for (const [text, shown] of cases) {
    t.equal(usual.text(text), shown)
    t.equal(usual.text(shown), shown, 'and is masked once')
  }
  t.equal(usual.path('/fetch/https://user:pass@shadow.test/a'), '/fetch/https://[redacted]@shadow.test/a')
  t.equal(usual.header('location', 'https://user:pass@shadow.test'), 'https://[redacted]@shadow.test')
  t.equal(usual.text('://'.repeat(100_000)).length, 300_000, 'in linear time')
  t.equal(usual.form('u=http://a:p&w@shadow.test&b=1'), 'u=http://[redacted]@shadow.test&b=1')
})

t.test('where a text is cut, a whole user info without a password is not shown either', async t => {
  const canary = 'CANARY'.repeat(10)
  const url = `https://${canary}@shadow.test/`
  for (const before of [0, 20, 80, 150, 190]) {
    const text = ' '.repeat(before) + url
    t.notMatch(usual.json(atOnce(readTape(JSON.stringify(text))), 0, before + 30), /CANARY/)
    t.notMatch(toPointer([text]), /CANARY/)
    const sent = Buffer.from(`{"a":1} ${text}`)
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'application/json']) {
      t.notMatch(usual.body(sent.subarray(0, before + 40), type, false, 2048)?.text ?? '', /CANARY/, type)
    }
    t.notMatch(usual.path(beginning(`/${text}`, before + 30)), /CANARY/)
  }
  t.equal(beginning('https://shadow.test/a', 21), 'https://shadow.test/a')
  t.equal(beginning('https://shadow.test/ab', 21), 'https://shadow.test/a', 'what a path stands behind is none')
})

t.test('secrets', async (t) => {
  const canary = 'CANARY'
  const own = createRedactor(['X-Session', 'pin', 'mother_name'])
  const names = [
    'authorization', 'cookie', 'set-cookie', 'proxy-authorization', 'x-api-key', 'access_token', 'token', 'password', 'secret', 'api_key',
    'code', 'signature'
  ]
  const spellings = (name: string): string[] => [name, name.toUpperCase(), name.replaceAll(/[-_](.)/g, (_, letter) => letter.toUpperCase())]

  t.test('are known by name without case, hyphens and underscores', async (t) => {
    for (const name of names) for (const spelling of spellings(name)) t.ok(usual.isSecret(spelling), spelling)
    for (const name of ['user[password]', 'user.password', 'a[b][token][]', 'PassWord']) t.ok(usual.isSecret(name), name)
    for (const name of ['pin', 'PIN', 'motherName', 'x-session', 'token']) t.ok(own.isSecret(name), name)
    t.ok(usual.isSecret('x'.repeat(300)), 'nobody gives such a name')
  })

  t.test('are known by the kind of their names, in any spelling', async (t) => {
    const kinds = [
      'passwords', 'newPassword2', 'PASSWD', 'db_pwd', 'passphrase', 'userPass', 'refreshToken', 'x-csrf-token', 'tokens', 'CLIENTSECRET', 'client_secret',
      'privateKey', 'aws_access_key', 'masterkey', 'api-keys', 'X-Api-Key', 'sessionId', 'PHPSESSID', 'JSESSIONID', 'session', 'connect.sid', 'jwt', 'otp',
      'totpCode', 'cvv2', 'card_cvc', 'pin', 'userPIN', 'sig', 'X-Amz-Signature', 'X-Hub-Signature-256', 'credentials', 'auth', 'x-forwarded-authorization',
      'bearer', 'cardNumber', 'card_no', 'cookies', 'xsrf', '\uff50assword', 'pass\u200bword', 'a[access_tokens][]'
    ]
    const others = [
      '', 'x', 'keyboard', 'monkey', 'opinion', 'shipping', 'author', 'authority', 'secretary', 'tokenizer', 'compass', 'passenger', 'signal', 'design', 'side',
      'key', 'publicKey', 'primary_key', 'sort_keys', 'Idempotency-Key', 'status_code', 'zipCode', 'cardinal', 'discard_now', 'access-control-allow-credentials',
      'tokens_used', 'max_tokens', 'total_cached_tokens', 'token_type', 'passwordLength', 'session_count', 'token_expires_in', 'password_changed_at',
      'constructor', '__proto__', 'user[name]', 'a.b', '名前'
    ]
    for (const name of kinds) t.ok(usual.isSecret(name), name)
    for (const name of others) t.notOk(usual.isSecret(name), name)
    t.ok(createRedactor(['tokens_used']).isSecret('tokensUsed'), 'which the user can overrule')
  })

  t.test('are masked in headers', async (t) => {
    for (const name of names) t.equal(usual.header(name, canary), '[redacted]', name)
    const values: Array<[value: string, expected: string]> = [
      [`/login?state=1&Code=${canary}`, '/login?state=1&Code=[redacted]'],
      [`</a?token=${canary}>; rel=next`, '</a?token=[redacted]'],
      [`https://x/#access_token=${canary}`, 'https://x/#access_token=[redacted]'],
      [`/login?next=%2Fcb%3Fco%64e%3D${canary}`, '[redacted]'],
      [`/login?next=%252Fcb%253Fcode%253D${canary}`, '[redacted]'],
      [`a=1; token="${canary} ${canary}"`, 'a=1; token=[redacted]'],
      ['max-age=60, public', 'max-age=60, public'],
      ['100%', '100%'],
      ['50%25 off', '50%25 off'],
      ['%25252525', '[redacted]'],
      ['text/html; charset=utf-8', 'text/html; charset=utf-8']
    ]
    for (const [value, expected] of values) t.equal(usual.header('location', value), expected, value)
    t.same(own.headers(['X-SESSION', canary, 'Accept', '*/*', 'Referer', `http://a/?pin=${canary}`]),
      ['X-SESSION', '[redacted]', 'Accept', '*/*', 'Referer', 'http://a/?pin=[redacted]'])
  })

  t.test('are masked in paths and forms', async (t) => {
    const cases: Array<[path: string, expected: string]> = [
      ['/a/b', '/a/b'],
      ['/a?x=1&y=%20z', '/a?x=1&y=%20z'],
      [`/a?x=1&token=${canary}&y=2`, '/a?x=1&token=[redacted]&y=2'],
      [`/a?TOKEN=${canary};${canary},${canary}`, '/a?TOKEN=[redacted]'],
      [`/a?%74ok%65n=${canary}`, '/a?%74ok%65n=[redacted]'],
      [`/a?user%5Bpassword%5D=${canary}&user[token]=${canary}`, '/a?user%5Bpassword%5D=[redacted]&user[token]=[redacted]'],
      [`/a?x=1;token=${canary}`, '/a?x=1;token=[redacted]'],
      [`/a?token=${canary}&token=${canary}`, '/a?token=[redacted]&token=[redacted]'],
      [`/a?b?code=${canary}`, '/a?b?code=[redacted]'],
      [`/a?token==${canary}`, '/a?token=[redacted]'],
      [`/a;token=${canary}/b?c=1`, '/a;token=[redacted]/b?c=1'],
      [`/go/http%3A%2F%2Fx%3Ftoken%3D${canary}/b`, '/go/[redacted]/b'],
      [`/a?next=https%3A%2F%2Fx%2F%3Fsecret%3D${canary}&z=1`, '/a?[redacted]&z=1'],
      [`/a?%zz=1&pass%77ord=${canary}%`, '/a?%zz=1&pass%77ord=[redacted]'],
      [`/a?api+key=${canary}`, '/a?api+key=[redacted]'],
      ['/a?token', '/a?token'],
      [`/reset/token/${canary}/x?a=1`, '/reset/token/[redacted]?a=1'],
      [`/reset/%74oken/${canary}`, '/reset/%74oken/[redacted]'],
      ['/auth/login', '/auth/login'],
      ['/oauth/token', '/oauth/token'],
      [`/a?value=${canary}&field=password&x=1`, '/a?value=[redacted]&field=[redacted]&x=[redacted]'],
      [`/a?${'x'.repeat(300)}=${canary}`, `/a?${'x'.repeat(300)}=[redacted]`],
      [`/eyJhbGciOiJIUzI1NiJ9.${canary}.x-y_z/b`, '/[redacted]/b'],
      ['/a?', '/a?'],
      ['*', '*']
    ]
    for (const [path, expected] of cases) t.equal(usual.path(path), expected, path)
    const start = Date.now()
    for (const part of ['a%25=', '=', 'a=&', '%', '%25', 'token', '?', '%3d', 'a=b;']) usual.path(`/?${part.repeat(16_384 / part.length)}`)
    t.ok(Date.now() - start < 2000, 'hostile paths take no time')
    t.equal(usual.text('a=1;'.repeat(600)), 'a=1;'.repeat(600))
  })

  t.test('are masked in JSON differences', async (t) => {
    const cases: Array<[string, string, string[]]> = [
      [`{"password":"${canary}"}`, '{"password":"x"}', ['changed /password [redacted] > [redacted]']],
      [`{"PassWord":${'1234'}}`, '{"PassWord":null}', ['changed /PassWord [redacted] > [redacted]']],
      [`{"p\\u0061ssword":"${canary}"}`, '{"p\\u0061ssword":"x"}', ['changed /password [redacted] > [redacted]']],
      ['{}', `{"token":["${canary}"]}`, ['added /token  > [redacted]']],
      [`{"a":{"token":{"${canary}":1}}}`, '{"a":{}}', ['removed /a/token [redacted] > ']],
      [`{"token":{"${canary}":1,"b":["${canary}"]},"z":1}`, `{"token":{"x":1,"b":[2,"${canary}"]},"z":2}`,
        ['changed /token [redacted] > [redacted]', 'changed /z 1 > 2']],
      [`{"a":[{"secret":{"x":{"y":"${canary}"}}}]}`, '{"a":[{"secret":{"x":{"y":1}}}]}', ['changed /a/0/secret [redacted] > [redacted]']],
      ['{"a":1}', `{"a":{"x":1,"Api-Key":["${canary}"],"y":{"code":{"z":"${canary}"}}}}`,
        ['type /a 1 > {"x":1,"Api-Key":"[redacted]","y":{"code":"[redacted]"}}']],
      ['{"a":1}', `{"a":"https://x/?access_token=${canary}"}`, ['type /a 1 > "https://x/?access_token=[redacted]"']],
      ['{"a":1}', `{"a":"https:\\/\\/x\\/?a=1\\u0026code\\u003d${canary}"}`, ['type /a 1 > "https://x/?a=1&code=[redacted]"']],
      ['{"a":1}', `{"a":${JSON.stringify(JSON.stringify({ user: { password: canary } }))}}`, ['type /a 1 > "[redacted]"']],
      ['{"a":1}', `{"a":"[${'x'.repeat(70_000)}"}`, ['type /a 1 > "[redacted]"']],
      ['{"a":1}', '{"a":"[info] fine"}', ['type /a 1 > "[info] fine"']],
      ['{"a":1}', `{"a":["${'x'.repeat(150)}",{"token":"${canary}${'y'.repeat(200)}"}]}`,
        [`type /a 1 > ["${'x'.repeat(150)}",{"token":"[redacted]"}]`]],
      ['{"a":1}', `{"a":"${'x '.repeat(95)}token=${canary}"}`, [`type /a 1 > "${'x '.repeat(95)}token=[r…`]]
    ]
    for (const [primary, shadow, expected] of cases) {
      t.same(shown(primary, shadow), expected, primary)
      t.notMatch(JSON.stringify(diff(primary, shadow)), canary)
      t.notMatch(JSON.stringify(diff(shadow, primary)), canary)
    }
    t.same(shown(`{"pin":"${canary}"}`, '{"pin":1}', [], ['PIN']), ['changed /pin [redacted] > [redacted]'])
    t.equal(shown(`{"token":{"at":"${canary}"}}`, '{"token":{"at":1}}', ['/token/at']), 'equal')
  })

  t.test('are masked in request bodies, or the body is not kept', async (t) => {
    const form = 'application/x-www-form-urlencoded; charset=utf-8'
    const json = 'application/json'
    type Case = [name: string, body: string | Buffer, type: string | undefined, expected: string | null, own?: string | null]
    const cases: Case[] = [
      ['JSON without secrets stays as it is', '{ "a": 1 }', json, '{ "a": 1 }'],
      ['JSON', `{ "a": 1, "user": { "Password": "${canary}" } }`, json, '{"a":1,"user":{"Password":"[redacted]"}}'],
      ['JSON, values that are not text', '{"token":[1,{"a":2}],"code":5}', json, '{"token":"[redacted]","code":"[redacted]"}'],
      ['JSON with a URL', `{"a":"/?code=${canary}"}`, json, '{"a":"/?code=[redacted]"}'],
      ['JSON of another type', `{"token":"${canary}"}`, 'text/plain', '{"token":"[redacted]"}'],
      ['JSON without type', ` [{"token":"${canary}"}]`, undefined, '[{"token":"[redacted]"}]'],
      ['a JSON text', '"abc"', json, '"abc"'],
      ['broken JSON', `{"a":1,"token":"${canary}`, json, null],
      ['broken JSON without secrets', '{"a":1', json, null],
      ['broken JSON of another type', `{token:"${canary}"}`, 'text/plain', null],
      ['a form', `a=1&pass%77ord=${canary}`, form, 'a=1&pass%77ord=[redacted]'],
      ['text', 'hello world', 'text/plain', 'hello world', null],
      ['text with brackets', '[info] hello', 'text/plain', '[info] hello', null],
      ['text without type', 'hello world', undefined, 'hello world', null],
      ['text that mentions a secret', `password: ${canary}`, 'text/plain', null],
      ['XML', `<soap:Password>${canary}</soap:Password>`, 'text/xml', null],
      ['multipart', `--x\r\ncontent-disposition: form-data; name="token"\r\n\r\n${canary}\r\n--x--`, 'multipart/form-data; boundary=x', null],
      ['a NUL', 'a\0b', 'text/plain', null],
      ['binary', Buffer.from([0xff, 0xfe, 1]), 'application/octet-stream', null],
      ['half a character', Buffer.from('é').subarray(0, 1), 'text/plain', null]
    ]
    for (const [name, body, type, expected, expectedOwn = expected] of cases) {
      const usually = usual.body(Buffer.from(body), type, true, 2048)
      t.same(usually, expected === null ? null : { text: expected, truncated: false }, name)
      const withNames = own.body(Buffer.from(body), type, true, 2048)
      t.same(withNames, expectedOwn === null ? null : { text: expectedOwn, truncated: false }, `${name}, with names of the user`)
    }
    t.same(own.body(Buffer.from('{"pin":1,"x":2}'), json, true, 100), { text: '{"pin":"[redacted]","x":2}', truncated: false })
  })

  t.test('do not show where a body is cut', async (t) => {
    const body = Buffer.from(`{"a":[1,{"note":"n","password":"${canary}","b":"é😀"}],"token":{"x":["${canary}"]},"n":12345,"c":{}}`)
    for (const redactor of [usual, own]) {
      for (let length = 0; length <= body.length; length++) {
        for (const [bytes, complete, max] of [[body.subarray(0, length), false, 2048], [body, true, length]] as const) {
          const kept = redactor.body(bytes, 'application/json', complete, max)
          if (kept === null) t.fail(`nothing kept of ${length} bytes`)
          if (kept !== null && (/CA|\ufffd/.test(kept.text) || kept.truncated !== (!complete || length < body.length))) t.fail(kept.text)
        }
      }
    }
    t.same(usual.body(Buffer.from('{"a":[1,{"note":"n","passw'), 'application/json', false, 2048), { text: '{"a":[1,{"note":"n"', truncated: true })
    t.same(usual.body(Buffer.from('{"a":1,"token":'), 'application/json', false, 2048), { text: '{"a":1,"token":"[redacted]"', truncated: true })
    t.same(usual.body(Buffer.from('{"a":1,"b":"x'), 'application/json', false, 2048), { text: '{"a":1,"b":', truncated: true })
    t.same(usual.body(Buffer.from('a=1&token=xyz'), 'application/x-www-form-urlencoded', true, 11), { text: 'a=1&token=[', truncated: true })
    t.same(usual.body(Buffer.from('grüße'), 'text/plain', true, 3), { text: 'gr', truncated: true })
    t.same(usual.body(Buffer.from('grüße'), 'text/plain', true, 4), { text: 'grü', truncated: true })
  })
})

function parses (text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

/** Random numbers that are the same in every run (mulberry32). */
function generator (seed: number): () => number {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0
    let x = Math.imul(seed ^ (seed >>> 15), 1 | seed)
    x = (x + Math.imul(x ^ (x >>> 7), 61 | x)) ^ x
    return ((x ^ (x >>> 14)) >>> 0) / 4294967296
  }
}

type Value = string | number | boolean | null | Value[] | { [key: string]: Value }

function randomValue (random: () => number, depth: number): Value {
  const kind = random() * (depth === 0 ? 5 : 8)
  if (kind < 1) return Math.floor(random() * 1000) / [1, 10, 1000][Math.floor(random() * 3)] * (random() < 0.2 ? 1e21 : 1)
  if (kind < 2) return ['', 'a', '\\', '"', '\n\u0001', 'é', '😀', '\ud800', '/~*', 'token=1'][Math.floor(random() * 10)]
  if (kind < 3) return random() < 0.5
  if (kind < 4) return null
  if (kind < 5) return -Math.floor(random() * 5)
  const length = Math.floor(random() * 5)
  if (kind < 6.5) return Array.from({ length }, () => randomValue(random, depth - 1))
  const keys = ['a', 'b', 'c', '__proto__', 'constructor', '0', '1', 'é', '"', 'token', '']
  return Object.fromEntries(Array.from({ length }, () => [keys[Math.floor(random() * keys.length)], randomValue(random, depth - 1)]))
}

/** The value, something in it exchanged. */
function changed (value: Value, random: () => number): Value {
  if (Array.isArray(value) && value.length > 0 && random() < 0.9) {
    const at = Math.floor(random() * value.length)
    if (random() < 0.2) return value.toSpliced(at, 1)
    return value.with(at, changed(value[at], random))
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value) && random() < 0.9) {
    const entries = Object.entries(value)
    if (entries.length > 0) {
      const at = Math.floor(random() * entries.length)
      if (random() < 0.2) return Object.fromEntries(entries.toSpliced(at, 1))
      return Object.fromEntries(entries.with(at, [entries[at][0], changed(entries[at][1], random)]))
    }
  }
  return randomValue(random, 1)
}

/** The value with the keys of its objects in another order. */
function shuffled (value: Value, random: () => number): Value {
  if (Array.isArray(value)) return value.map((item) => shuffled(item, random))
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).map(([key, item]): [number, string, Value] => [random(), key, shuffled(item, random)])
  return Object.fromEntries(entries.sort(([a], [b]) => a - b).map(([, key, item]) => [key, item]))
}
