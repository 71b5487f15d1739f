import t from 'tap'
import type { Test } from 'tap'
import { booksClose } from './helpers/books'
import { modes } from './helpers/gateway'
import { startTwins } from './helpers/twins'
import type { Ask, Reply, TwinsSetup } from './helpers/twins'

const DATES = ['Mon, 23 Nov 2026 10:00:00 GMT', 'Tue, 24 Nov 2026 10:00:00 GMT']
const whole = (headers: Record<string, string>): Reply => ({ status: 200, headers, body: 'all of it' })
const unchanged = (headers: Record<string, string> = {}): Reply => ({ status: 304, headers })
const part = (headers: Record<string, string> = {}): Reply => ({ status: 206, headers: { 'content-range': 'bytes 0-2/9', ...headers }, body: 'all' })

interface Case {
  what: string
  primary: Reply
  shadow: Reply
  headers: Record<string, string>
  fate: 'conditional' | 'mismatched' | 'matched'
}

const V1 = { etag: '"v1"' }
const V2 = { etag: '"v2"' }
const OLD = { 'last-modified': DATES[0] }
const NEW = { 'last-modified': DATES[1] }
const knowsV1 = { 'if-none-match': '"v1"' }
const rangeOfV1 = { range: 'bytes=0-2', 'if-range': '"v1"' }

const cases: Case[] = [
  { what: 'the shadow has another ETag', primary: unchanged(V1), shadow: whole(V2), headers: knowsV1, fate: 'conditional' },
  { what: 'it has none', primary: unchanged(V1), shadow: whole({}), headers: knowsV1, fate: 'conditional' },
  { what: 'it has the same, and does not say so', primary: unchanged(V1), shadow: whole(V1), headers: knowsV1, fate: 'mismatched' },
  { what: 'it has the same, but weak', primary: unchanged(V1), shadow: whole({ etag: 'W/"v1"' }), headers: knowsV1, fate: 'mismatched' },
  { what: 'it has one of several that the client knows', primary: unchanged(V1), shadow: whole(V2), headers: { 'if-none-match': '"v1", W/"v2"' }, fate: 'mismatched' },
  { what: 'any will do', primary: unchanged(V1), shadow: whole(V2), headers: { 'if-none-match': '*' }, fate: 'mismatched' },
  { what: 'the shadow alone knows the ETag', primary: whole(V1), shadow: unchanged(V2), headers: { 'if-none-match': '"v2"' }, fate: 'conditional' },
  { what: 'the primary knows it, and the shadow says so', primary: whole(V1), shadow: unchanged(V1), headers: knowsV1, fate: 'mismatched' },
  { what: 'the shadow says so unasked', primary: whole(V1), shadow: unchanged(V1), headers: {}, fate: 'mismatched' },
  { what: 'the shadow changed later', primary: unchanged(OLD), shadow: whole(NEW), headers: { 'if-modified-since': DATES[0] }, fate: 'conditional' },
  { what: 'it has no date', primary: unchanged(OLD), shadow: whole({}), headers: { 'if-modified-since': DATES[0] }, fate: 'conditional' },
  { what: 'it did not change', primary: unchanged(OLD), shadow: whole(OLD), headers: { 'if-modified-since': DATES[1] }, fate: 'mismatched' },
  { what: 'an error is no answer to that', primary: unchanged(V1), shadow: { status: 500 }, headers: knowsV1, fate: 'mismatched' },
  { what: 'a part by an ETag that the shadow has not', primary: part(V1), shadow: whole(V2), headers: rangeOfV1, fate: 'conditional' },
  { what: 'a part by an ETag that it has', primary: part(V1), shadow: whole(V1), headers: rangeOfV1, fate: 'mismatched' },
  { what: 'a part by a date that it has not', primary: part(OLD), shadow: whole(NEW), headers: { range: 'bytes=0-2', 'if-range': DATES[0] }, fate: 'conditional' },
  { what: 'a part by a date that it has', primary: part(OLD), shadow: whole(OLD), headers: { range: 'bytes=0-2', 'if-range': DATES[0] }, fate: 'mismatched' },
  { what: 'a part on the shadow\'s side', primary: whole(V1), shadow: part(V2), headers: { range: 'bytes=0-2', 'if-range': '"v2"' }, fate: 'conditional' },
  { what: 'a part without a condition', primary: part(V1), shadow: whole(V2), headers: { range: 'bytes=0-2' }, fate: 'mismatched' },
  { what: 'a part that nobody asked for', primary: whole(V1), shadow: part(V2), headers: {}, fate: 'mismatched' },
  { what: 'no change against a part', primary: unchanged(V1), shadow: part(V2), headers: { ...knowsV1, range: 'bytes=0-2' }, fate: 'conditional' },
  { what: 'no change on both sides', primary: unchanged(V1), shadow: unchanged(V1), headers: knowsV1, fate: 'matched' },
  { what: 'all of it on both sides', primary: whole(V1), shadow: whole(V1), headers: { 'if-none-match': '"v0"' }, fate: 'matched' }
]

const removed: Case[] = [
  { what: 'a 304', primary: unchanged(V1), shadow: whole(V1), headers: knowsV1, fate: 'conditional' },
  { what: 'a 206', primary: part(V1), shadow: whole(V1), headers: rangeOfV1, fate: 'conditional' },
  { what: 'a 206 of a plain range', primary: part(V1), shadow: whole(V1), headers: { range: 'bytes=0-2' }, fate: 'conditional' },
  { what: 'a 200', primary: whole(V1), shadow: whole(V1), headers: knowsV1, fate: 'matched' }
]

for (const { mode, plugin } of modes) {
  t.test(`${mode}: a condition on a plain route, whatever its answer is`, async t => {
    let answer: () => unknown = () => 'all of it'
    const twins = await startTwins(t, {
      plugin,
      compare: { detailedDiff: false },
      routes: (app, mirror) => {
        app.get('/plain', { mirror }, (_, reply) => reply.header('last-modified', DATES[1]).send(answer()))
      }
    })
    const request: Ask = { path: '/plain', headers: { 'if-none-match': '"v2"', 'if-modified-since': DATES[0] } }
    const fate = async (shadow: Reply) => (await twins.ask({}, shadow, request)).fate
    t.equal(await fate(unchanged(V2)), 'conditional')
    answer = () => new Response('all of it', { headers: V1 })
    t.equal(await fate(unchanged(V2)), 'conditional')
    answer = () => new Response('all of it', { headers: V2 })
    t.equal(await fate(unchanged(V2)), 'mismatched')
    t.equal(await fate(whole(V2)), 'matched')
  })
}

for (const { mode, plugin } of modes) {
  for (const detailedDiff of [false, true]) {
    const how = `${mode}, ${detailedDiff ? 'in detail' : 'by hash'}`
    const run = async (t: Test, cases: Case[], mirror: TwinsSetup['mirror'] = {}) => {
      const twins = await startTwins(t, { plugin, mirror, compare: { detailedDiff } })
      for (const { what, primary, shadow, headers, fate } of cases) {
        const request: Ask = { headers }
        t.equal((await twins.ask(primary, shadow, request)).fate, fate, what)
      }
      booksClose(t, twins.gateway.mirror())
    }
    t.test(`${how}: a condition that only one side knows`, t => run(t, cases))
    t.test(`${how}: a condition that the copy does not carry`, t => run(t, removed, { removeHeaders: ['if-none-match', 'if-range', 'range'] }))
  }
}
