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
import { TestPlaces, input } from './helpers/places'
import type { AddressInfo } from 'node:net'
import type { BodyDifference, Mismatch, MismatchRequest } from '../types/index'
import type { MismatchedRequest, MismatchInput } from '../lib/mismatches/mismatch'

const usual = createRedactor([])
const ACCEPT = ['accept', '*/*', 'user-agent', 'x']

function mismatch (changes: Partial<Omit<MismatchInput, 'request'>> = {}, request: Partial<MismatchedRequest> = {}): Mismatch {
  return createMismatch(input(changes, request), usual)
}

function json (...pointers: string[]): BodyDifference {
  const differences = pointers.map((pointer) => ({ pointer, change: 'changed' as const, primary: '1', shadow: '2' }))
  return { kind: 'json', differences, truncated: false }
}

t.test('a mismatch', async (t) => {
  t.test('tells equal bodies by equal marks, which are no hashes that one could try out', async (t) => {
    const hash = createHash('sha256').update('{"code":"123456"}').digest('hex')
    const [a, b, c] = [hash, hash, 'c'.repeat(64)].map((primaryHash) => mismatch({ primaryHash, shadowHash: hash }))
    t.match(a.primaryHash, /^[0-9a-f]{64}$/)
    t.equal(a.primaryHash, b.primaryHash)
    t.equal(a.primaryHash, c.shadowHash)
    t.not(a.primaryHash, c.primaryHash)
    t.notMatch(JSON.stringify([a, b, c]), hash)
    for (const guess of [hash, '{"code":"123456"}']) t.not(a.primaryHash, createHash('sha256').update(guess).digest('hex'))
    const ids = [hash, 'c'.repeat(64)].map((primaryHash) => new TestPlaces(5).put(input({ primaryHash, shadowHash: hash, body: { kind: 'hash', reason: 'off' } })))
    t.same(ids[0], ids[1], 'a place does not depend on them')
  })

  t.test('tells what is needed to repeat the request and to see what differed', async (t) => {
    const body = json('/a')
    const found = createMismatch(input({
      headers: [{ name: 'etag', primary: ['"1"'], shadow: ['"2"', 'x'.repeat(300)] }], body
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
      shadowStatus: 200,
      primaryHash: markOf('a'.repeat(64)),
      shadowHash: markOf('b'.repeat(64)),
      headers: [{ name: 'etag', primary: ['"1"'], shadow: ['"2"', 'x'.repeat(199) + '…'] }],
      body
    })
    t.same(structuredClone(found), found, 'plain data')
  })

  t.test('keeps of the body what is text', async (t) => {
    const cases: Array<[Partial<MismatchedRequest>, string | null, boolean]> = [
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
    const differences = many.map((name) => ({ pointer: `/${name}`.slice(0, 500), change: 'added' as const, shadow: 'x'.repeat(200) }))
    const found = mismatch({
      headers: many.map((name) => ({ name, primary: many, shadow: many })),
      body: { kind: 'json', differences, truncated: false, byIndex: true }
    }, {
      path: '/' + 'p'.repeat(20_000), sentPath: '/' + 's'.repeat(20_000), headers: many.flatMap((name) => [name, name]), body: Buffer.alloc(1e6, 'x')
    })
    t.ok(JSON.stringify(found).length < 350_000)
    t.equal(found.request.truncated, true)
    t.match(found.body, { truncated: true, byIndex: true })
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
        const came = input({
          headers: [
            { name: 'set-cookie', primary: [`sid=${canary}`], shadow: [canary, canary] },
            { name: 'location', primary: [`/cb?code=${canary}`], shadow: [`/cb?x=%3Fpin%3D${canary}`] }
          ]
        }, {
          path, sentPath: path, body: Buffer.from(body), complete, headers: [...secrets.flatMap((name) => [name, canary]), 'Content-Type', type, 'Referer', `https://x${path}`]
        })
        const made = createMismatch(came, redactor)
        const places = new TestPlaces(10, { redactor })
        const [id] = places.put(came)
        const everything = JSON.stringify([made, places.list(), places.find(id)?.example, curlCommand(made.request, 'http://shadow')])
        t.notMatch(everything, canary, `${type}, complete: ${complete}`)
        t.match(everything, 'redacted')
      }
    }
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
