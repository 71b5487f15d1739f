import fc from 'fast-check'
import t from 'tap'
import { createRedactor } from '../../lib/compare/redact'
import { diffJson } from '../../lib/compare/json/diff'
import { atOnce } from '../../lib/steps'
import { curlCommand } from '../../lib/mismatches/curl'
import { TestPlaces } from '../helpers/places'
import { createMismatch } from '../../lib/mismatches/mismatch'
import { printableData } from '../../lib/printable'
import type { BodyDifference, HeaderDifference } from '../../types/index'
import { holds } from '../helpers/property'
import { ruleSet } from '../helpers/rules'

const CANARY = 'CaNaRy7x'
const redactor = createRedactor(['motherName'])

const names = fc.tuple(
  fc.constantFrom('', 'user', 'my', 'x', 'old_'),
  fc.constantFrom('password', 'passwd', 'pwd', 'secret', 'token', 'apiKey', 'private_key', 'session', 'jwt', 'otp', 'cvv', 'pin', 'sig', 'signature', 'mother_name'),
  fc.constantFrom((name: string) => name, (name: string) => name.toUpperCase(), (name: string) => name.replaceAll('_', '-'))
).map(([before, name, spell]) => spell(before === '' || name === 'mother_name' ? name : `${before.replace('_', '')}_${name}`))

/** Words that may stand around it, in none of which is a value that must not be seen. */
const filler = fc.constantFrom('', 'a', 'note', 'hello world', '42', 'x=y', 'é', '日本', 'list: [1]', '<p>', 'a & b', '100%', '\\')

/** The same name, as some language or protocol may write it. */
const escapes: Array<(name: string) => string> = [
  name => name,
  name => `%${name.charCodeAt(0).toString(16)}${name.slice(1)}`,
  name => `\\u00${name.charCodeAt(0).toString(16)}${name.slice(1)}`,
  name => `&#${name.charCodeAt(0)};${name.slice(1)}`,
  name => `&#x${name.charCodeAt(0).toString(16)};${name.slice(1)}`,
  name => `${name[0]}\u200b${name.slice(1)}`,
  name => `%25${name.charCodeAt(0).toString(16)}${name.slice(1)}`
]

/** A name and a value, as texts of all kinds hold them. */
const formats: Array<(name: string, value: string) => string> = [
  (name, value) => `${name}=${value}`,
  (name, value) => `${name}: ${value}`,
  (name, value) => `mutation { login(email: "a@b", ${name}: "${value}") { id } }`,
  (name, value) => `<${name}>${value}</${name}>`,
  (name, value) => `<ns:${name} kind="x">${value}</ns:${name}>`,
  (name, value) => `<user ${name}="${value}"/>`,
  (name, value) => `<param name="${name}" value="${value}"/>`,
  (name, value) => `<param value="${value}" name="${name}"/>`,
  (name, value) => `<value>${value}</value><name>${name}</name>`,
  (name, value) => `Array ( [${name}] => ${value} )`,
  (name, value) => `{'${name}': '${value}'}`,
  (name, value) => `{:${name}=>"${value}"}`,
  (name, value) => `[('${name}', '${value}')]`,
  (name, value) => `s:${name.length}:"${name}";s:8:"${value}";`,
  (name, value) => `user: a\n${name}:\n  ${value}`,
  (name, value) => `value: ${value}\nname: ${name}`,
  (name, value) => JSON.stringify({ name, value }),
  (name, value) => JSON.stringify({ value, key: name }),
  (name, value) => JSON.stringify([{ deep: { [name]: [value] } }]),
  (name, value) => JSON.stringify(JSON.stringify({ [name]: value })),
  (name, value) => `POST / HTTP/1.1\r\n${name}: ${value}\r\n\r\n`,
  (name, value) => `run --${name} ${value}`,
  (name, value) => `https://a.test/?${name}=${value}#x`,
  (name, value) => `https://a.test/${name}/${value}`,
  (name, value) => `| ${name} | ${value} |`,
  (name, value) => `${name}\t${value}`,
  (name, value) => `-----BEGIN ${name}-----\n${value}`,
  (name, value) => `see eyJhbGciOiJIUzI1NiJ9.${value}.${name}`,
  (_, value) => `Bearer ${value}.`,
  (_, value) => `https://me:${value}@a.test/`
]

const planted = fc.tuple(fc.nat(formats.length - 1), fc.nat(escapes.length - 1), names, filler, filler)
  .map(([format, escape, name, before, after]) => `${before} ${formats[format](escapes[escape](name), CANARY)} ${after}`)

const headerValue = (text: string): string => Buffer.from(text.replaceAll(/[\r\n\0]/g, ' ')).toString('latin1')

/** All that is stored, logged, handed on and shown of a mismatch. */
function everything (json: unknown, text: string, name: string, type: string, body: string): string {
  const other = JSON.stringify({ other: 1 })
  const outcomes = [[JSON.stringify(json), other], [other, JSON.stringify(json)], [JSON.stringify(json), JSON.stringify(json).replaceAll(CANARY, 'x')]]
    .map(([a, b]) => atOnce(diffJson(a, b, { at: ruleSet().json.root, redactor })))
  return outcomes.map(outcome => {
    const differences = outcome.kind === 'different' ? outcome.differences : []
    const difference: BodyDifference = { kind: 'json', differences, truncated: false }
    const value = headerValue(text)
    const headers: HeaderDifference[] = [{ name: 'x-a', primary: [value], shadow: [] }, { name, primary: [CANARY], shadow: [value, CANARY] }]
    const path = `/a/${encodeURIComponent(text)}?q=${encodeURIComponent(text)}&${encodeURIComponent(name)}=${CANARY}&z=1`
    const input = {
      backend: 'b',
      time: 0,
      primaryStatus: 200,
      shadowStatus: 200,
      primaryHash: '',
      shadowHash: '',
      headers,
      body: difference,
      request: {
        method: 'POST', path, sentPath: `/v2${path}`, headers: ['x-b', value, name, CANARY, 'content-type', type], body: Buffer.from(body), complete: true
      }
    }
    const made = createMismatch(input, redactor)
    const places = new TestPlaces(10, { redactor })
    places.put(input)
    return JSON.stringify([made, places.list(), printableData(made.headers), printableData(made.body), curlCommand(made.request, 'http://a')])
  }).join('')
}

t.test('a secret that is planted anywhere comes out nowhere', async t => {
  const check = (text: string): void => {
    if (text.includes(CANARY)) throw new Error(`it comes out: ${text.slice(Math.max(0, text.indexOf(CANARY) - 200), text.indexOf(CANARY) + 20)}`)
  }
  await holds(t, 'of texts in any format', fc.property(planted, text => check(redactor.text(text))), 3000)
  await holds(t, 'of all that is told of a mismatch', fc.property(planted, names, fc.nat(6), (text, name, place) => {
    const json = [
      { [name]: CANARY }, { a: [{ [name]: { x: [CANARY] } }] }, { note: text }, { name, value: CANARY }, { list: [{ value: CANARY, field: name }] }, [name, CANARY],
      { [text]: 1 }
    ][place]
    const [type, body] = [
      ['application/json', JSON.stringify(json)],
      ['text/plain', text],
      ['application/x-www-form-urlencoded', `a=1&${encodeURIComponent(name)}=${CANARY}&b=${encodeURIComponent(text)}`],
      ['application/x-www-form-urlencoded', `value=${CANARY}&name=${name}`],
      ['text/xml', text],
      ['application/json', JSON.stringify({ pad: 'x'.repeat(2040 - 12), value: CANARY, name })],
      [undefined as unknown as string, JSON.stringify(json)]
    ][place]
    check(everything(json, text, name, type ?? '', body))
  }), 500)
})

t.test('what hides nothing stays as it is', async t => {
  for (const text of [
    'max-age=60, public', 'Accept-Encoding, Authorization', 'invalid token', '"password" is required', 'text/html; charset=utf-8', 'The monkey: 1',
    'basic information', 'a -> b', 'https://a.test/auth', '{"tokens_used":5,"status_code":200}', 'C:\\new\\users', 'R&D', '&#999999999;', '\\u{ffffff}', 'ab.eyJab'
  ]) t.equal(redactor.text(text), text)
})

t.test('escapes of all kinds are read, and what is escaped too often is not shown', async t => {
  for (const name of ['\\x70assword', '\\u{70}assword', '&#X70;assword', 'pass&lowbar;word', '\uff50assword']) {
    t.notMatch(redactor.text(`${name}=${CANARY}`), CANARY, name)
  }
  t.notMatch(redactor.text(`password&EQUALS;${CANARY}`), CANARY)
  t.notMatch(redactor.text(`{\\"password\\":\\"${CANARY}\\"}`), CANARY)
  t.equal(redactor.body(Buffer.from(`a %25252525252570assword ${CANARY}`), 'text/plain', true, 2048), null)
  t.equal(createRedactor([]).body(Buffer.from(`a %25252525252570assword ${CANARY}`), 'text/plain', true, 2048), null)
})

t.test('it takes a time that grows with the length alone', async t => {
  const parts = [
    'token ', 'a', 'eyJ', 'eyJ.', '-eyJ-', '=', '--password', 'name="', 'name:         ', '"\\\\', '\\u0070', '&#112;', '%70', '%25', '://', '[{', '{"', 'bearer ', 'bearer-',
    'a b ', 'pin ', 'key', '-----', '\ufdfa', '\u200b', 'Bearer   ', '"token', 'a.b[', 'aB'
  ]
  const took = (text: string): number => {
    const start = process.cpuUsage()
    redactor.text(text)
    redactor.form(text)
    redactor.path(`/${text}`)
    redactor.body(Buffer.from(text), 'text/plain', true, text.length * 4)
    const { user, system } = process.cpuUsage(start)
    return (user + system) / 1000
  }
  for (const part of parts) {
    const text = part.repeat(Math.ceil(16_384 / part.length))
    t.ok(Math.min(took(text), took(text), took(text)) < 400, `${part}: ${took(text)} ms`)
  }
})
