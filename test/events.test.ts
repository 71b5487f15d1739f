import fc from 'fast-check'
import t from 'tap'
import { eventDocument, eventKind } from '../lib/compare/events/document'
import { atOnce } from '../lib/steps'
import { booksClose } from './helpers/books'
import { modes } from './helpers/gateway'
import { holds, same } from './helpers/property'
import { startTwins } from './helpers/twins'
import type { Reply } from './helpers/twins'
import type { BodyDifference, CompareRule, JsonDifference } from '../types/index'

const documentOf = (text: string) => atOnce(eventDocument('sse', text))

t.test('server-sent events', async t => {
  const cases: Array<[what: string, text: string, document: string]> = [
    ['data', 'data: a\n\n', '[{"message":"a"}]'],
    ['a name', 'event: x\ndata: a\n\n', '[{"x":"a"}]'],
    ['a name that is for one event alone', 'event: x\ndata: a\n\ndata: b\n\n', '[{"x":"a"},{"message":"b"}]'],
    ['data in several lines', 'data: a\ndata: b\ndata\ndata:c\n\n', '[{"message":"a\\nb\\n\\nc"}]'],
    ['one space alone is no part of it', 'data:  a\n\n', '[{"message":" a"}]'],
    ['JSON', 'data: {"a": 1}\n\ndata: [2]\n\ndata:   "x"\n\n', '[{"message":{"a": 1}},{"message":[2]},{"message":  "x"}]'],
    ['JSON in several lines', 'data: {\ndata: "a":1}\n\n', '[{"message":{\n"a":1}}]'],
    ['what is no JSON, or may be a piece of text', 'data: {a\n\ndata: 1.0\n\ndata: true\n\ndata: [DONE]\n\n', '[{"message":"{a"},{"message":"1.0"},{"message":"true"},{"message":"[DONE]"}]'],
    ['comments, ids and what nobody knows', ': hello\nid: 1\nretry: 5\nfoo: bar\ndata: a\n: x\n\n:\n\n', '[{"message":"a"}]'],
    ['events without data', 'event: x\n\ndata:\n\ndata: a\n\n', '[{"message":"a"}]'],
    ['heartbeats', 'event: ping\ndata: {}\n\nevent: Keep-Alive\ndata: 1\n\ndata: ping\n\n', '[{"message":"ping"}]'],
    ['any line ends', '\ufeffdata: a\r\rdata: b\r\ndata: c\n\rdata: d', '[{"message":"a"},{"message":"b\\nc"},{"message":"d"}]'],
    ['one that is not ended', 'data: a', '[{"message":"a"}]'],
    ['nothing', '', '[]'],
    ['names that are odd', 'event: a"\\b\ndata: 😀\x01\n\n', '[{"a\\"\\\\b":"😀\\u0001"}]']
  ]
  for (const [what, text, document] of cases) t.equal(documentOf(text), document, what)

  t.equal(documentOf('data: x\n\n'.repeat(80_001)), 'too complex')
  t.equal(documentOf(`data: ${'\x01'.repeat(2e6)}\n\n`), 'too complex', 'as a document it is longer')
  t.match(documentOf(`data: ${'x'.repeat(20_000)}\n\n`), /^\[\{"message":"x{20000}"\}\]$/)

  const text = fc.string({ unit: fc.constantFrom('a', 'b', ' ', ':', '{', '1', 'é', '😀', '\n'), minLength: 1, maxLength: 8 })
  const event = fc.record({ name: fc.constantFrom('message', 'x', 'token'), data: fc.oneof(text, fc.json({ maxDepth: 1 })) })
  const habits = fc.infiniteStream(fc.nat(7))
  await holds(t, 'are the same, however they are written', fc.property(fc.array(event, { maxLength: 6 }), habits, (events, habits) => {
    const habit = () => habits.next().value
    const write = () => events.map(({ name, data }) => {
      const end = ['\n', '\r\n', '\r'][habit() % 3]
      const noise = () => habit() === 0 ? `: hello${end}` : habit() === 0 ? `event: ping${end}data: {}${end}${end}` : ''
      const named = name === 'message' && habit() > 3 ? '' : `event:${habit() > 3 ? ' ' : ''}${name}${end}`
      return `${noise()}${named}${data.split('\n').map(line => `data: ${line}${end}`).join('')}${end}`
    }).join('')
    const wanted = events.filter(({ data }) => data !== '').map(({ name }) => name)
    const [one, other] = [documentOf(write()), documentOf(write())]
    same(one, other)
    const found = JSON.parse(one as string) as object[]
    same(found.map(item => Object.keys(item)[0]), wanted)
  }), 1000)
})

t.test('documents, one a line', async t => {
  const documentOf = (text: string) => atOnce(eventDocument('lines', text))
  t.equal(documentOf('{"a":1}\n\n [2] \r\n3'), '[{"a":1}, [2] ,3]')
  t.equal(documentOf(''), '[]')
  t.equal(documentOf('{"a":1}\nx'), null, 'what is no JSON is not looked into')
  t.equal(documentOf('1\n'.repeat(80_001)), 'too complex')
  t.same(['application/x-ndjson', 'application/jsonl', 'text/event-stream', 'application/json'].map(eventKind), ['lines', 'lines', 'sse', null])
})

const stream = (...blocks: string[]): Reply => response => {
  response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' })
  for (const block of blocks) response.write(block)
  response.end()
}
const lines = (...documents: string[]): Reply => ({ headers: { 'content-type': 'application/x-ndjson' }, body: documents.join('\n') })
const json = (...differences: JsonDifference[]): BodyDifference => ({ kind: 'json', differences, truncated: false })

const START = 'event: start\ndata: {"id":"x"}\n\n'
const TOKENS = ['a', 'b', 'c'].map((token, n) => `data: {"n":${n},"word":"${token}","at":${n}}\n\n`)
const LATER = ['a', 'b', 'c'].map((token, n) => `data: {"word":"${token}","at":${n + 5},"n":${n}}\n\n`)

const cases: Array<{ what: string, primary: Reply, shadow: Reply, body: BodyDifference | null, place?: [kind: string, where: string] }> = [
  { what: 'nothing but comments, pieces, line ends and ids', primary: stream(START, ...TOKENS), shadow: stream(': hi\n\nid: 7\r\nevent: start\r\nda', 'ta: { "id": "x" }\r\n\r\n', ': hi\n\n', ...TOKENS), body: null },
  { what: 'nothing but what is ignored', primary: stream(...TOKENS), shadow: stream(...LATER), body: null },
  { what: 'an event that is missing', primary: stream(START, ...TOKENS), shadow: stream(START, LATER[0], LATER[2]), body: json({ pointer: '', change: 'event', primary: '{"message":{"n":1,"word":"b","at":1}}', event: 2 }), place: ['event', 'body'] },
  { what: 'an event more', primary: stream(START), shadow: stream(START, 'data: [DONE]\n\n'), body: json({ pointer: '', change: 'event', shadow: '{"message":"[DONE]"}', event: 1 }), place: ['event', 'body'] },
  { what: 'a value within one', primary: stream(START, ...TOKENS), shadow: stream(START, ...TOKENS.with(1, TOKENS[1].replace('"b"', '"B"'))), body: json({ pointer: '/word', change: 'changed', primary: '"b"', shadow: '"B"', event: 2 }), place: ['changed', '/word'] },
  { what: 'a field more in one', primary: stream(START), shadow: stream(START.replace('}', ',"b":1}')), body: json({ pointer: '/b', change: 'added', shadow: '1', event: 0 }), place: ['added', '/b'] },
  { what: 'text', primary: stream('data: a\n\n'), shadow: stream('data: b\n\n'), body: json({ pointer: '', change: 'changed', primary: '"a"', shadow: '"b"', event: 0 }), place: ['changed', 'body'] },
  { what: 'the name of one', primary: stream('event: a\ndata: {"x":1}\n\n'), shadow: stream('event: b\ndata: {"x":1}\n\n'), body: json({ pointer: '', change: 'event', primary: '{"x":1}', event: 0 }, { pointer: '', change: 'event', shadow: '{"x":1}', event: 0 }), place: ['event', 'body'] },
  { what: 'the order', primary: stream(...TOKENS), shadow: stream(LATER[1], LATER[0], LATER[2]), body: json({ pointer: '', change: 'order', primary: `[${TOKENS.map(token => `{"message":${token.slice(6, -2)}}`).join()}]`, shadow: `[${[1, 0, 2].map(n => `{"message":${LATER[n].slice(6, -2)}}`).join()}]` }), place: ['order', 'body'] },
  { what: 'nothing, of lines', primary: lines('{"a":1}', '{"b":2}'), shadow: lines('{ "a": 1.0 }\r', '', '{"b":2}', ''), body: null },
  { what: 'a line more', primary: lines('{"id":1}', '{"id":2}'), shadow: lines('{"id":1}', '{"id":5}', '{"id":2}'), body: json({ pointer: '', change: 'event', shadow: '{"id":5}', event: 1 }), place: ['event', 'body'] },
  { what: 'a value of a line, by id', primary: lines('{"id":1,"a":1}', '{"id":2,"a":1}'), shadow: lines('{"id":5}', '{"id":1,"a":1}', '{"id":2,"a":3}'), body: json({ pointer: '', change: 'event', shadow: '{"id":5}', event: 0 }, { pointer: '/a', change: 'changed', primary: '1', shadow: '3', event: 1 }), place: ['event', 'body'] },
  { what: 'lines that are no JSON', primary: lines('{"a":1}', 'x'), shadow: lines('{"a":1}', 'y'), body: { kind: 'text', primaryLength: 9, shadowLength: 9, offset: 8 }, place: ['changed', 'body'] },
  { what: 'too many events', primary: stream('data: x\n\n'.repeat(90_000)), shadow: stream('data: x\n\n'.repeat(90_001)), body: { kind: 'hash', reason: 'too complex' }, place: ['changed', 'body (too complex)'] }
]

for (const { mode, plugin } of modes) {
  t.test(`${mode}: what differs in events`, async t => {
    const twins = await startTwins(t, { plugin, compare: { ignoreJsonFields: ['/at'] } })
    for (const { what, primary, shadow, body, place } of cases) {
      await t.test(what, async t => {
        const { fate, mismatch } = await twins.ask(primary, shadow)
        t.equal(fate, body === null ? 'matched' : 'mismatched')
        t.same(mismatch?.body ?? null, body)
        if (place === undefined) return
        const places = twins.gateway.app.mirrors.mismatches('twins')?.places.map(({ kind, where }) => `${kind} ${where}`)
        t.ok(places?.includes(place.join(' ')), `among ${places?.join()}`)
      })
    }
    booksClose(t, twins.gateway.mirror())
  })

  t.test(`${mode}: rules are for what events hold`, async t => {
    const of = async (rules: CompareRule[], ...pairs: Array<[Reply, Reply, string]>) => {
      const twins = await startTwins(t, { plugin, compare: { rules } })
      for (const [primary, shadow, fate] of pairs) t.equal((await twins.ask(primary, shadow)).fate, fate, JSON.stringify(rules))
    }
    const [one, other] = [stream('data: {"at":1,"list":[1,2]}\n\n'), stream('data: {"at":2,"list":[2,1]}\n\n')]
    await of([{ at: '/at', ignore: true }, { at: '/list', unordered: true }], [one, other, 'matched'], [one, stream('data: {"list":[1,3]}\n\n'), 'mismatched'])
    await of([{ at: '**.at', type: true }, { at: '/list', ignore: true }], [one, other, 'matched'], [one, stream('data: {"at":"x"}\n\n'), 'mismatched'])
    await of([{ at: '/a', ignore: true }], [lines('{"a":1}'), lines('{"a":2}'), 'matched'], [lines('[{"a":1}]'), lines('[{"a":2}]'), 'mismatched'])
    await of([{ at: '', ignore: true }], [one, stream('data: x\n\ndata: y\n\n'), 'matched'], [lines('1'), lines('2', '3'), 'matched'])
  })
}
