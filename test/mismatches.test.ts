import { execFile, execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { chmodSync, readdirSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import t from 'tap'
import { createRedactor } from '../lib/compare/redact'
import { curlCommand } from '../lib/mismatches/curl'
import { markOf } from '../lib/mismatches/mark'
import { createMismatch } from '../lib/mismatches/mismatch'
import { Groups } from './helpers/groups'
import type { AddressInfo } from 'node:net'
import type { BodyDifference, HeaderDifference, Mismatch, MismatchRequest } from '../types/index'
import type { MirroredRequest, MismatchInput } from '../lib/mismatches/mismatch'

const usual = createRedactor([])
const START = Date.UTC(2024, 0, 1)
const ACCEPT = ['accept', '*/*', 'user-agent', 'x']

function input (changes: Partial<Omit<MismatchInput, 'request'>> = {}, request: Partial<MirroredRequest> = {}): MismatchInput {
  return {
    backend: 'shadow',
    time: START,
    primaryStatus: 200,
    mirrorStatus: 200,
    primaryHash: 'a'.repeat(64),
    mirrorHash: 'b'.repeat(64),
    headers: [],
    body: null,
    ...changes,
    request: { method: 'GET', path: '/', sentPath: '/', headers: [], body: Buffer.alloc(0), complete: true, ...request }
  }
}

function mismatch (changes: Partial<Omit<MismatchInput, 'request'>> = {}, request: Partial<MirroredRequest> = {}): Mismatch {
  return createMismatch(input(changes, request), usual)
}

function json (...pointers: string[]): BodyDifference {
  const differences = pointers.map((pointer) => ({ pointer, change: 'changed' as const, primary: '1', mirror: '2' }))
  return { kind: 'json', differences, truncated: false }
}

function header (name: string): HeaderDifference {
  return { name, primary: ['1'], mirror: ['2'] }
}

t.test('a mismatch', async (t) => {
  t.test('tells equal bodies by equal marks, which are no hashes that one could try out', async (t) => {
    const hash = createHash('sha256').update('{"code":"123456"}').digest('hex')
    const [a, b, c] = [hash, hash, 'c'.repeat(64)].map((primaryHash) => mismatch({ primaryHash, mirrorHash: hash }))
    t.match(a.primaryHash, /^[0-9a-f]{64}$/)
    t.equal(a.primaryHash, b.primaryHash)
    t.equal(a.primaryHash, c.mirrorHash)
    t.not(a.primaryHash, c.primaryHash)
    t.notMatch(JSON.stringify([a, b, c]), hash)
    for (const guess of [hash, '{"code":"123456"}']) t.not(a.primaryHash, createHash('sha256').update(guess).digest('hex'))
    t.equal(new Groups(5).put(a), new Groups(5).put(c), 'a group does not depend on them')
  })

  t.test('tells what is needed to repeat the request and to see what differed', async (t) => {
    const body = json('/a')
    const found = createMismatch(input({
      headers: [{ name: 'etag', primary: ['"1"'], mirror: ['"2"', 'x'.repeat(300)] }], body
    }, {
      method: 'POST', path: '/a?b=1', sentPath: '/v2/a?b=1', headers: ['Accept', '*/*', 'Content-Type', 'text/plain'], body: Buffer.from('hello')
    }), usual)
    t.same(found, {
      backend: 'shadow',
      time: '2024-01-01T00:00:00.000Z',
      request: {
        method: 'POST',
        path: '/a?b=1',
        sentPath: '/v2/a?b=1',
        headers: ['Accept', '*/*', 'Content-Type', 'text/plain'],
        body: 'hello',
        truncated: false
      },
      primaryStatus: 200,
      mirrorStatus: 200,
      primaryHash: markOf('a'.repeat(64)),
      mirrorHash: markOf('b'.repeat(64)),
      headers: [{ name: 'etag', primary: ['"1"'], mirror: ['"2"', 'x'.repeat(199) + '…'] }],
      body
    })
    t.same(structuredClone(found), found, 'plain data')
  })

  t.test('keeps of the body what is text', async (t) => {
    const cases: Array<[Partial<MirroredRequest>, string | null, boolean]> = [
      [{ body: Buffer.alloc(0) }, null, false],
      [{ body: Buffer.from('a'), headers: ['content-type', 'text/plain'] }, 'a', false],
      [{ body: Buffer.from('a'), headers: ['Content-Encoding', 'gzip'] }, null, false],
      [{ body: Buffer.from('a'), headers: ['content-encoding', 'identity'] }, 'a', false],
      [{ body: Buffer.from([255]), headers: [] }, null, false],
      [{ body: Buffer.from('a'), complete: false }, 'a', true],
      [{ body: Buffer.from('x'.repeat(5000)) }, 'x'.repeat(2048), true]
    ]
    for (const [request, body, truncated] of cases) t.match(mismatch({}, request).request, { body, truncated })
  })

  t.test('has a bounded size, whatever it was made of', async (t) => {
    const many = Array.from({ length: 500 }, (_, i) => `n${i}`.padEnd(1000, 'x'))
    const differences = many.map((name) => ({ pointer: `/${name}`.slice(0, 500), change: 'added' as const, mirror: 'x'.repeat(200) }))
    const found = mismatch({
      headers: many.map((name) => ({ name, primary: many, mirror: many })),
      body: { kind: 'json', differences, truncated: false }
    }, {
      path: '/' + 'p'.repeat(20_000), sentPath: '/' + 's'.repeat(20_000), headers: many.flatMap((name) => [name, name]), body: Buffer.alloc(1e6, 'x')
    })
    t.ok(JSON.stringify(found).length < 350_000)
    t.equal(found.request.truncated, true)
    t.match(found.body, { truncated: true })
    t.equal(found.body?.kind === 'json' && found.body.differences.length, 32)
    t.equal(found.request.path.length, 4096)
    t.equal(found.request.sentPath.length, 4096)
    t.ok(found.request.headers.join('').length <= 16_384)
    t.equal(found.request.headers.length % 2, 0)
    for (const request of [{ path: '/' + 'p'.repeat(5000) }, { sentPath: '/' + 'p'.repeat(5000) }, { headers: ['a', 'x'.repeat(17_000)] }]) {
      t.equal(mismatch({}, request).request.truncated, true)
    }
  })

  t.test('has no secret in it', async (t) => {
    const canary = 'CANARY'
    const redactor = createRedactor(['x-session', 'pin'])
    const secrets = ['authorization', 'Cookie', 'set-cookie', 'Proxy-Authorization', 'X-API-Key', 'X-Session', 'token']
    const bodies: Array<[string, string]> = [
      ['application/json', JSON.stringify({ a: { Password: canary, list: [{ pin: canary }] }, url: `/?code=${canary}` })],
      ['application/json', `{"pin":"${canary}`],
      ['application/x-www-form-urlencoded', `a=1&pin=${canary}&Api%5FKey=${canary}`],
      ['text/plain', canary],
      ['multipart/form-data; boundary=x', `--x\r\ncontent-disposition: form-data; name="pin"\r\n\r\n${canary}\r\n--x--`]
    ]
    const path = `/a;secret=${canary}?pin=${canary}&x=1&PASSWORD=${canary}&%74oken=${canary}`
    for (const [type, body] of bodies) {
      for (const complete of [true, false]) {
        const made = createMismatch(input({
          headers: [
            { name: 'set-cookie', primary: [`sid=${canary}`], mirror: [canary, canary] },
            { name: 'location', primary: [`/cb?code=${canary}`], mirror: [`/cb?x=%3Fpin%3D${canary}`] }
          ]
        }, {
          path, sentPath: path, body: Buffer.from(body), complete, headers: [...secrets.flatMap((name) => [name, canary]), 'Content-Type', type, 'Referer', `https://x${path}`]
        }), redactor)
        const groups = new Groups(10)
        const id = groups.put(made)
        const everything = JSON.stringify([made, groups.list(), groups.get(id), curlCommand(made.request, 'http://shadow')])
        t.notMatch(everything, canary, `${type}, complete: ${complete}`)
        t.match(everything, 'redacted')
      }
    }
  })
})

t.test('groups', async (t) => {
  t.test('hold what differs alike, with count, times and the latest example', async (t) => {
    const groups = new Groups(100)
    t.same(groups.list(), { limit: 100, limited: false, spared: 0, groups: [], others: [] })
    const id = groups.put(mismatch({ time: START, headers: [header('etag')], body: json('/items/0/price', '/items/7/price', '/total') }, { path: '/1' }))
    t.equal(groups.put(mismatch({ time: START + 1000, headers: [header('etag')], body: json('/items/3/price', '/total') }, { path: '/2' })), id)
    const { groups: [group] } = groups.list()
    t.match(group, {
      id,
      backend: 'shadow',
      primaryStatus: 200,
      mirrorStatus: 200,
      headers: ['etag'],
      pointers: ['/items/*/price', '/total'],
      body: 'json',
      count: 2,
      first: '2024-01-01T00:00:00.000Z',
      last: '2024-01-01T00:00:01.000Z',
      example: { request: { path: '/2' } }
    })
    t.same(groups.get(id), group)
    t.equal(groups.get('nobody'), undefined)
    groups.put(mismatch({ headers: [header('etag')], body: json('/items/3/price', '/total') }))
    t.equal(group.count, 2, 'a list is not changed by what comes after it')
    t.same(structuredClone(groups.list()), groups.list(), 'plain data')
  })

  t.test('are one for each backend, status pair, header names, pointers and kind of body difference', async (t) => {
    const groups = new Groups(100)
    const kinds: Array<Partial<MismatchInput>> = [
      {}, { backend: 'other' }, { primaryStatus: 201 }, { mirrorStatus: 201 }, { headers: [header('a')] }, { headers: [header('b')] },
      { headers: [header('a'), header('b')] }, { body: json('/a') }, { body: json('/b') }, { body: json('/a', '/b') }, { body: json('') },
      { body: { kind: 'text', primaryLength: 1, mirrorLength: 2, offset: 0 } }, { body: { kind: 'binary', primaryLength: 1, mirrorLength: 2, offset: 0 } },
      { body: { kind: 'hash', reason: 'too long' } }, { body: { kind: 'hash', reason: 'too complex' } }
    ]
    const ids = kinds.map((kind) => groups.put(mismatch(kind)))
    t.equal(new Set(ids).size, kinds.length)
    const again = new Groups(100)
    t.same(kinds.toReversed().map((kind) => again.put(mismatch(kind))).reverse(), ids, 'with the same ids everywhere')
    for (const id of ids) t.match(id, /^[\da-f]{12}$/)
    t.equal(groups.put(mismatch({ body: { kind: 'text', primaryLength: 100, mirrorLength: 2, offset: 50 } })), ids[11], 'lengths do not count')
    t.equal(groups.put(mismatch({ body: json('/b', '/a') })), ids[9], 'nor does the order')
    t.equal(groups.put(mismatch({ headers: [header('b'), header('a')] })), ids[6])
    t.equal(groups.list().groups.find(({ id }) => id === ids[13])?.body, 'hash: too long')
  })

  t.test('are listed latest first', async (t) => {
    const groups = new Groups(2)
    const add = (mirrorStatus: number): string => groups.put(mismatch({ mirrorStatus }))
    const [a, b] = [add(500), add(501)]
    t.same(groups.list().groups.map(({ id }) => id), [b, a])
    add(500)
    t.same(groups.list().groups.map(({ id }) => id), [a, b])
    const [c, d] = [add(502), add(503)]
    add(502)
    t.same(groups.list().others.map(({ id }) => id), [c, d])
  })

  t.test('are never thrown out: at the limit new kinds are counted by backend and status pair', async (t) => {
    const groups = new Groups(2)
    const rare = groups.put(mismatch({ body: json('/rare') }))
    groups.put(mismatch({ body: json('/frequent') }))
    t.equal(groups.list().limited, false)
    const other = groups.put(mismatch({ body: json('/new') }, { path: '/1' }))
    t.equal(groups.put(mismatch({ body: json('/newer'), time: START + 1 }, { path: '/2' })), other)
    const failing = groups.put(mismatch({ mirrorStatus: 500 }))
    t.not(failing, other)
    groups.put(mismatch({ body: json('/frequent') }))
    const { limited, groups: stored, others } = groups.list()
    t.equal(limited, true)
    t.same(stored.map(({ pointers, count }) => [pointers[0], count]), [['/frequent', 2], ['/rare', 1]])
    t.same(others.map(({ id, primaryStatus, mirrorStatus, count }) => [id, primaryStatus, mirrorStatus, count]),
      [[failing, 200, 500, 1], [other, 200, 200, 2]])
    t.match(groups.get(other), { last: '2024-01-01T00:00:00.001Z', example: { request: { path: '/2' } } })
    t.match(groups.get(rare), { count: 1 })
    t.equal(groups.put(mismatch({ body: json('/rare') })), rare, 'a known kind is counted where it was')

    groups.clear()
    t.same(groups.list(), { limit: 2, limited: false, spared: 0, groups: [], others: [] })
    t.equal(groups.put(mismatch({ body: json('/new') })), groups.list().groups[0].id)
  })

  t.test('of others have an end too', async (t) => {
    const groups = new Groups(1)
    for (let primaryStatus = 200; primaryStatus < 300; primaryStatus++) {
      for (let mirrorStatus = 400; mirrorStatus < 410; mirrorStatus++) groups.put(mismatch({ primaryStatus, mirrorStatus }))
    }
    const { others } = groups.list()
    t.equal(others.length, 65)
    t.match(others[0], { backend: 'shadow', primaryStatus: null, mirrorStatus: null, count: 1000 - 1 - 64 })
    t.equal(others.reduce((sum, { count }) => sum + count, 0), 999)
    const [, { id, primaryStatus, mirrorStatus }] = others
    t.equal(groups.put(mismatch({ primaryStatus: primaryStatus as number, mirrorStatus: mirrorStatus as number })), id)
    t.match(groups.get(id), { count: 2 })
  })

  t.test('are not made without end by documents that are keyed by data', async (t) => {
    const first = 'abcdefghij'
    const word = (i: number): string => first[i % 10] + first[Math.floor(i / 10) % 10] + first[Math.floor(i / 100) % 10]
    const cases: Array<[string, number, (i: number) => Partial<MismatchInput>]> = [
      ['indices', 1, (i) => ({ body: json(`/items/${i}/price`) })],
      ['ids', 1, (i) => ({ body: json(`/users/user-${i + 1000}/name`, `/users/user-${i + 2000}/name`) })],
      ['UUIDs', 1, (i) => ({ body: json(`/550e8400-e29b-41d4-a716-${String(i).padStart(12, '0')}`) })],
      ['names', 26, (i) => ({ body: json(`/users/${word(i)}/name`) })],
      ['names under names', 60, (i) => ({ body: json(`/${word(i)}/${word(999 - i)}`) })],
      ['many names at once', 1, (i) => ({ body: json(...Array.from({ length: 12 }, (_, n) => `/users/${word(i + n)}/name`)) })],
      ['names, after many fields of another object', 491, (i) => ({ body: json(`/${i < 240 ? 'record' : 'users'}/${word(i)}`) })],
      ['headers', 1, (i) => ({ headers: [header(`x-${i + 1000}`)] })]
    ]
    for (const [name, most, kind] of cases) {
      const groups = new Groups(most > 100 ? 1000 : 100)
      for (let i = 0; i < 1000; i++) groups.put(mismatch(kind(i)))
      const list = groups.list()
      t.ok(list.groups.length <= most, `${name}: ${list.groups.length}`)
      t.equal(list.limited, false, name)
      t.equal(list.groups.reduce((sum, { count }) => sum + count, 0), 1000)
    }

    const groups = new Groups(100)
    for (let i = 0; i < 1000; i++) groups.put(mismatch({ body: json(`/${word(i)}/${word(i)}/x`, '/status') }))
    const rare = groups.put(mismatch({ body: json('/status') }))
    t.same(groups.list().groups.find(({ id }) => id === rare)?.pointers, ['/status'], 'a name that was there before stays one')
    t.equal(groups.put(mismatch({ body: json('/new') })), groups.put(mismatch({ body: json('/newer') })))
    groups.clear()
    groups.put(mismatch({ body: json('/new') }))
    t.same(groups.list().groups[0].pointers, ['/new'], 'and clearing forgets what was learned')
  })

  t.test('have at most 16 pointers and header names', async (t) => {
    const groups = new Groups(10_000)
    const pointersOf = (...pointers: string[]): string[] => {
      const id = groups.put({ ...mismatch(), body: json(...pointers) })
      return groups.list().groups.find((group) => group.id === id)?.pointers ?? []
    }
    const letters = 'abcdefghijklmnopqrstuvwxyz'.split('')
    t.same(pointersOf(...letters.slice(0, 8).map((x) => `/${x}`)), letters.slice(0, 8).map((x) => `/${x}`))
    t.same(pointersOf(...letters.slice(0, 9).map((x) => `/${x}`)), ['/*'])
    t.same(pointersOf(...letters.slice(0, 9).flatMap((x) => [`/u/${x}`, `/u/${x}/p`, `/u/${x}/q`])), ['/u/*', '/u/*/p', '/u/*/q'])
    t.same(pointersOf(...letters.slice(0, 8).flatMap((x) => letters.slice(0, 8).map((y) => `/${x}/${y}`))),
      letters.slice(0, 8).map((x) => `/${x}/*`).sort(), 'deep ones end one level higher')
    const four = letters.slice(0, 4)
    const deep = pointersOf(...four.flatMap((x) => four.flatMap((y) => four.map((z) => `/${x}/${y}/${z}`))), '/short')
    t.same(deep, ['/a/*', '/b/*', '/c/*', '/d/*', '/short'])
    t.same(pointersOf(...letters.slice(0, 8).flatMap((x) => letters.slice(0, 3).map((y) => `/${x}/k/${y}`)), ...four.map((x) => `/${x}/l/m/n`)),
      [...letters.slice(0, 8).map((x) => `/${x}/k/*`), ...four.map((x) => `/${x}/l/*`)].sort())
    for (let i = 0; i < 300; i++) pointersOf(`/${letters[i % 26]}${letters[Math.floor(i / 26)]}/x`)
    t.same(pointersOf(...letters.slice(0, 9).map((x) => `/new/level/${x}`)), ['/new/level/*'], 'also when nothing more is remembered')
    t.same(pointersOf('/new/level/a'), ['/new/level/a'])
    const id = groups.put(mismatch({ headers: letters.map((name) => header(name)) }))
    t.same(groups.list().groups.find((group) => group.id === id)?.headers, letters.slice(0, 16))
  })
})

function isThere (program: string): boolean {
  try {
    execFileSync(program, ['-c', 'true'])
    return true
  } catch {
    return false
  }
}

t.test('a curl command', async (t) => {
  // Prints what it is called with, and what it reads where it is told to.
  const fake = '#!/bin/sh\nfor arg do printf \'%s\\0\' "$arg"; [ "$arg" = @- ] && cat && printf \'\\0\'; done; printf \'the end\\0\'\n'
  const place = t.testdir({ curl: fake, home: {} })
  chmodSync(join(place, 'curl'), 0o755)
  const env = { ...process.env, PATH: `${place}:${process.env.PATH}`, HOME: join(place, 'home'), TERM: 'dumb' }

  function request (changes: Partial<MismatchRequest> = {}): MismatchRequest {
    return { method: 'GET', path: '/', sentPath: '/', headers: ACCEPT, body: null, truncated: false, ...changes }
  }

  /** The words that a shell makes of each command, read as bytes. */
  function runAll (commands: string[], shell = 'sh'): string[][] {
    const output = execFileSync(shell, ['-c', commands.join('\n')], { env, cwd: join(place, 'home') }).toString('latin1')
    return output.split('the end\0').slice(0, -1).map((words) => words.split('\0').slice(0, -1))
  }

  function run (command: string): string[] {
    return runAll([command])[0]
  }

  const hostile = [
    'plain', "it's", '"$HOME"', '$(touch /tmp/pwned)', '`id`', '; rm -rf /', '&& id', '| id', '\\', "\\'", "'\\''", '!!', '%s%n', '@/etc/passwd', '-o/tmp/x',
    '--next', "\\';touch pwned;\\'", "\\';touch pwned;#", '\\\\', "a\\'b\\", '(touch pwned)', '^a^b', '=(touch pwned)', '*', '~', '#', '{a,b}', '[1-9]', '<a>', "''", '\\n', '$\'\\n\'', 'a  b', '=', '%', '%%', '\\101'
  ]

  t.test('is one line that says what the request was', async (t) => {
    t.equal(curlCommand({
      ...request(),
      method: 'POST',
      path: '/a?b=1',
      headers: ['Host', 'example.com', 'Accept', '*/*', 'User-Agent', 'it', 'Content-Type', 'application/json', 'Content-Length', '7'],
      body: '{"a":1}'
    }, 'http://shadow:9000/v2/'), "curl --globoff --path-as-is --request 'POST' --header 'Accept: */*' --header 'User-Agent: it' " +
      "--header 'Content-Type: application/json' --url 'http://shadow:9000/v2/a?b=1' --data-raw '{\"a\":1}'")
  })

  t.test('gives the shell no more than words, whatever the request holds', async (t) => {
    const values = [...hostile, 'caf\xe9', 'a\tb', 'a\x1b[31mb', 'x\x7f', '!a\x01']
    const bodies = [
      ...hostile, 'é', '日本', '😀', 'a\nb', '\n', 'a\r\n\r\n', '\t', '\x1b]0;x\x07', '-\n', '-n\n', '%\n', "'\n", '!\n', '\\n\n', '\u202ex', '\u2028', '@x\n', 'a\u3164b', 'a\ufe0f', 'a\u{e0041}', 'a\xa0b'
    ]
    const type = ['content-type', 'text/plain']
    const withValue = values.map((value) => curlCommand(request({ headers: [...ACCEPT, 'x-a', value] }), 'http://shadow'))
    const withBody = bodies.map((body) => curlCommand(request({ body, headers: [...ACCEPT, ...type] }), 'http://shadow'))
    const withPath = hostile.map((path) => curlCommand(request({ path: `/${path}` }), 'http://shadow'))
    const withMethod = hostile.map((method) => curlCommand(request({ method }), 'http://shadow'))
    for (const shell of ['sh', 'bash', 'dash', 'zsh', 'fish']) {
      if (!isThere(shell)) {
        t.comment(`there is no ${shell} here`)
        continue
      }
      t.same(runAll(withValue, shell).map((words) => words.slice(-4)), values.map((value) => ['--header', `x-a: ${value}`, '--url', 'http://shadow/']))
      t.same(runAll(withBody, shell).map((words) => words.at(-1)), bodies.map((body) => Buffer.from(body).toString('latin1')))
      t.same(runAll(withPath, shell).map((words) => words.at(-1)),
        hostile.map((path) => `http://shadow/${path.replaceAll(' ', '%20').replaceAll('#', '%23')}`))
      t.ok(runAll(withMethod, shell).every((words, index) => [hostile[index], 'GET'].includes(words[3])))
      t.same(readdirSync(join(place, 'home')).filter((name) => name.includes('pwned')), [], `${shell} runs nothing else`)
    }
    for (const command of [...withValue, ...withBody, ...withPath, ...withMethod]) {
      if (/(?! )[\p{C}\p{Z}\p{DI}]/u.test(command)) t.fail(`${JSON.stringify(command)} is not one visible line`)
    }
    const nul = curlCommand(request({ body: 'a\0b\n' }), 'http://shadow')
    t.same(run(nul).slice(-4), ['--data-binary', '@-', 'a', 'b\n'])
    t.equal(run(curlCommand(request({ path: '/\xe9\n\u65e5' }), 'http://shadow')).at(-1), 'http://shadow/%C3%A9%0A%E6%97%A5')
    t.equal(run(curlCommand(request({ path: '/\xe9' }), 'http://shadow')).at(-1), 'http://shadow/%E9')
  })

  t.test('leaves out what curl sets, and headers that are none', async (t) => {
    const words = run(curlCommand(request({
      headers: [
        'Host', 'a', 'Connection', 'close', 'Transfer-Encoding', 'chunked', 'Expect', '100-continue', 'x-empty', '', 'a b', '1', '@/etc/passwd', '1', '', '1',
        'x-a', '1\r\nx-b: 2', 'x-c', 'a\0b', 'Accept-Encoding', 'gzip'
      ]
    }), 'http://shadow'))
    t.same(words, [
      '--globoff', '--path-as-is', '--request', 'GET', '--header', 'x-empty;', '--header', 'Accept-Encoding: gzip', '--compressed',
      '--header', 'accept:', '--header', 'user-agent:', '--url', 'http://shadow/'
    ])
  })

  t.test('asks for a head, a target that is no path, and a body without type', async (t) => {
    t.same(run(curlCommand(request({ method: 'HEAD', body: 'x' }), 'http://shadow')).slice(2, 3), ['--head'])
    t.notOk(run(curlCommand(request({ method: 'HEAD', body: 'x' }), 'http://shadow')).includes('--data-raw'))
    t.same(run(curlCommand(request({ method: 'OPTIONS', path: '*' }), 'http://shadow')).slice(-4), ['--request-target', '*', '--url', 'http://shadow/'])
    t.ok(curlCommand(request({ body: 'x' }), 'http://shadow').includes("--header 'content-type:'"))
    t.equal(run(curlCommand(request({ method: 'a b' }), 'http://shadow'))[3], 'GET')
    t.same(run(curlCommand(request({ body: '' }), 'http://shadow')).slice(-2), ['--data-raw', ''])
  })

  t.test('sends with the real curl what the client sent', async (t) => {
    try {
      execFileSync('curl', ['--version'])
    } catch {
      t.pass('there is no curl here')
      return
    }
    const seen: Array<{ method?: string, url?: string, headers: string[], body: string }> = []
    const server = createServer((request, response) => {
      let body = ''
      request.setEncoding('latin1').on('data', (chunk) => { body += chunk }).on('end', () => {
        seen.push({ method: request.method, url: request.url, headers: request.rawHeaders, body })
        response.end()
      })
    })
    t.teardown(() => server.close())
    await once(server.listen(0, '127.0.0.1'), 'listening')
    const { port } = server.address() as AddressInfo
    const requests: MismatchRequest[] = [
      request({ path: '/a/../b/./c?x[]={1,2}&y=%2F&z=\\', headers: ['x-a', 'caf\xe9', 'x-empty', '', 'x-b', '@b', 'x-b', '-c'] }),
      request({ method: 'PUT', body: 'a\r\n\0\u00e9\n', headers: ['content-type', 'text/plain'] }),
      request({ method: 'POST', body: '@/etc/passwd' }),
      request({ method: 'HEAD' }),
      request({ method: 'OPTIONS', path: '*' })
    ]
    for (const sent of requests) {
      const command = curlCommand(sent, `http://127.0.0.1:${port}`)
      await new Promise<void>((resolve, reject) => {
        execFile('sh', ['-c', command], (error) => error === null ? resolve() : reject(error))
      })
      const got = seen.at(-1)
      t.equal(got?.method, sent.method)
      t.equal(got?.url, sent.path)
      t.equal(got?.body, Buffer.from(sent.body ?? '').toString('latin1'))
      const headers = got?.headers.filter((_, index, all) => !['host', 'content-length', 'connection'].includes(all[index - index % 2].toLowerCase()))
      t.same(headers, sent.headers)
    }
  })
})
