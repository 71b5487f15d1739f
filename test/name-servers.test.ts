import t from 'tap'
import type { Test } from 'tap'
import { execFileSync, fork } from 'node:child_process'
import dns from 'node:dns'
import type { LookupAddress } from 'node:dns'
import { once } from 'node:events'
import { closeSync, constants, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { NameServers } from '../lib/engine/http/name-servers'
import { startBackend } from './helpers/backend'
import { modes, startGateway } from './helpers/gateway'
import { startNameServer } from './helpers/name-server'
import type { Saying } from './helpers/name-server'
import { until } from './helpers/until'

function folder (t: Test): string {
  const path = mkdtempSync(join(tmpdir(), 'mirror-'))
  t.teardown(() => rmSync(path, { recursive: true }))
  return path
}

interface Setup {
  /** What the DNS server says of a name. */
  say?: (name: string) => Saying
  hosts?: string
  config?: string
  /** Milliseconds for which a question waits. */
  timeout?: number
}

/** A DNS server, files of the system's, and a `dns.lookup` that knows every name. */
async function setUp (t: Test, { say = () => 'refused', hosts, config, timeout = 100 }: Setup = {}) {
  const { asked, address } = await startNameServer(t, say)
  const looked: string[] = []
  const { Resolver } = dns
  t.intercept(dns, 'Resolver', {
    configurable: true,
    value: class extends Resolver {
      constructor () {
        super({ timeout, tries: 1 })
        this.setServers([address])
      }
    }
  })
  t.intercept(dns, 'lookup', {
    configurable: true,
    value: (name: string, { family }: dns.LookupOptions, callback: (error: Error | null, addresses: LookupAddress[]) => void) => {
      if (family === 5) throw new TypeError('no such family')
      looked.push(name)
      setImmediate(callback, null, [{ address: '127.0.0.1', family: 4 }])
    }
  })
  const dir = folder(t)
  const files = { hosts: join(dir, 'hosts'), config: join(dir, 'resolv.conf') }
  if (hosts !== undefined) writeFileSync(files.hosts, hosts)
  if (config !== undefined) writeFileSync(files.config, config)
  const servers = new NameServers(files)
  return {
    servers,
    asked,
    looked,
    resolve: (name: string, family?: number) => new Promise<string>(resolve => {
      servers.resolve(name, { all: true, family }, (error, addresses) => resolve(error === null ? addresses[0].address : `${error.message}`))
    })
  }
}

t.test('the system is asked when the servers have answered, whatever they said', async t => {
  const says: Record<string, Saying> = { 'a.test': 'refused', 'b.test': 'unknown', 'c.test': 'empty', 'd.test': '10.0.0.1', e: 'unknown' }
  const { asked, looked, resolve } = await setUp(t, { say: name => says[name] })
  for (const name of Object.keys(says)) t.equal(await resolve(name), '127.0.0.1', 'and what it says counts')
  t.strictSame(looked, Object.keys(says))
  t.equal(await resolve('a.test', 6), '127.0.0.1')
  t.strictSame([...new Set(asked)], ['A a.test', 'A b.test', 'A c.test', 'A d.test', 'A e', 'AAAA a.test'])
  t.equal(await resolve('a.test', 5), 'no such family')
})

t.test('servers that do not answer keep the system from being asked', async t => {
  const { looked, resolve } = await setUp(t, { say: name => name === 'dead.test' ? 'silence' : 'unknown' })
  t.equal(await resolve('dead.test'), 'no DNS server answers')
  t.strictSame(looked, [])
  t.equal(await resolve('a.test'), '127.0.0.1')
})

t.test('servers that nobody is at keep nobody: the system finds that out as quickly', async t => {
  const { resolve } = await setUp(t)
  const { Resolver } = dns
  t.intercept(dns, 'Resolver', {
    configurable: true,
    value: class extends Resolver {
      constructor () {
        super()
        this.setServers(['127.0.0.1:1'])
      }
    }
  })
  t.equal(await resolve('a.test'), '127.0.0.1')
})

t.test('no server is asked for what is known without one', async t => {
  const hosts = '# 10.0.0.1 comment.test\n10.0.0.2\tShadow.Test  alias.test # later.test\n'
  const { asked, resolve } = await setUp(t, { say: () => 'silence', hosts })
  const known = ['10.0.0.1', '::1', 'localhost', 'LOCALHOST.', 'a.localhost', 'shadow.test', 'SHADOW.TEST', 'alias.test']
  for (const name of known) t.equal(await resolve(name), '127.0.0.1', name)
  t.strictSame(asked, [])
  for (const name of ['comment.test', 'later.test', 'ias.test', '10.0.0.2.test']) t.equal(await resolve(name), 'no DNS server answers', name)
})

const LONG = '#'.repeat(256 * 1024 + 1)

t.test('any name may stand in a hosts file too long to be read', async t => {
  const { asked, resolve } = await setUp(t, { say: () => 'silence', hosts: LONG })
  t.equal(await resolve('a.test'), '127.0.0.1')
  t.strictSame(asked, [])
})

t.test('without domains to be read, names are asked for as they are', async t => {
  const { asked, resolve } = await setUp(t, { config: LONG })
  t.equal(await resolve('a'), '127.0.0.1')
  t.strictSame(asked, ['A a'])
})

t.test('names are asked for with the domains that the system tries, in its order', async t => {
  // As in a cluster whose servers know their own names, and reach no others.
  const cluster = 'nameserver 10.0.0.1\nsearch old.test\nsearch ns.local\tlocal .\noptions ndots:2 timeout:1\noptions edns0 ndots:3\n'
  const say = (name: string) => name === 'shadow.ns.local' ? '10.0.0.1' : name.endsWith('.local') ? 'unknown' : 'silence'
  const { asked, resolve } = await setUp(t, { say, config: cluster })
  const cases: Array<[name: string, asked: string[], found: boolean]> = [
    ['shadow', ['shadow.ns.local'], true],
    ['shadow.ns', ['shadow.ns.ns.local', 'shadow.ns.local'], true],
    ['far.test', ['far.test.ns.local', 'far.test.local', 'far.test'], false],
    ['a.b.c.test', ['a.b.c.test'], false],
    ['shadow.ns.local.', ['shadow.ns.local'], true]
  ]
  for (const [name, expected, found] of cases) {
    asked.length = 0
    t.equal(await resolve(name), found ? '127.0.0.1' : 'no DNS server answers', name)
    t.strictSame(asked, expected.map(name => `A ${name}`))
  }
})

t.test('by default names with a dot are asked for as they are, first', async t => {
  const { asked, resolve } = await setUp(t, { say: () => 'unknown', config: 'domain example.test\n' })
  await resolve('a')
  await resolve('a.b')
  t.strictSame(asked, ['A a.example.test', 'A a', 'A a.b', 'A a.b.example.test'])
})

t.test('what is under way can be called off at any time, but for the system\'s part', async t => {
  const { servers, asked, looked, resolve } = await setUp(t, { say: name => name === 'a.test' ? 'unknown' : 'silence', timeout: 100_000 })
  const asking = resolve('dead.test')
  await until('the server is asked', () => asked.length === 1)
  servers.cancel()
  t.equal(await asking, 'the look-up was called off')
  const beginning = resolve('other.test')
  servers.cancel()
  t.equal(await beginning, 'the look-up was called off')
  t.strictSame([asked.length, looked], [1, []])
  t.equal(await resolve('a.test'), '127.0.0.1', 'the next is not concerned')
  servers.cancel()
})

for (const { mode, plugin } of modes) {
  t.test(`${mode}: a process whose DNS servers never answer ends when its app is closed`, async t => {
    const { asked, address } = await startNameServer(t, () => 'silence')
    const dir = folder(t)
    const fifo = join(dir, 'fifo')
    execFileSync('mkfifo', [fifo])
    // In the thread, too. The system hangs as its resolver does: in one of libuv's threads. Questions end by being called off, or never.
    writeFileSync(join(dir, 'preload.cjs'), `
      const dns = require('node:dns')
      const { Resolver } = dns
      dns.Resolver = class extends Resolver {
        constructor () {
          super({ tries: 1000 })
          this.setServers([${JSON.stringify(address)}])
        }
      }
      dns.lookup = (name, options, callback) => require('node:fs').open(${JSON.stringify(fifo)}, 'r', callback)`)
    writeFileSync(join(dir, 'app.cjs'), `
      const Fastify = require(${JSON.stringify(require.resolve('fastify'))})
      const mirror = require(${JSON.stringify(require.resolve('../lib'))})
      const app = Fastify()
      process.once('message', async () => {
        process.disconnect()
        await app.close()
      })
      app.register(mirror, ${JSON.stringify({ ...plugin, closeTimeout: 1 })}).then(async () => {
        app.get('/', { mirror: { backends: ['http://dead.mirror.test', 'http://other.mirror.test'] } }, async () => 'ok')
        const timer = setInterval(() => app.inject('/'), 50)
        process.once('message', () => clearInterval(timer))
      })`)
    const child = fork(join(dir, 'app.cjs'), {
      execArgv: [...process.execArgv, '--require', join(dir, 'preload.cjs')],
      stdio: 'inherit'
    })
    t.teardown(() => {
      child.kill('SIGKILL')
      closeSync(openSync(fifo, constants.O_RDWR | constants.O_NONBLOCK))
    })
    const exit = once(child, 'exit')
    await until('the server is asked', () => asked.length > 0 || child.exitCode !== null)
    child.send('close')
    t.strictSame(await exit, [0, null])
    t.ok(asked.every(name => name.startsWith('A dead.mirror.test')), 'one name at a time')
  })
}

t.test('a shadow whose name the servers refuse, and the system knows, gets its copies', async t => {
  const shadow = await startBackend(t)
  const gateway = await startGateway(t, {
    routes: app => { app.get('/', { mirror: { backends: [`http://shadow.mirror.test:${shadow.port}`] } }, async () => 'ok') }
  })
  const { asked } = await setUp(t)
  await gateway.app.inject('/')
  await until('the copy is answered', () => gateway.backend().success === 1)
  t.ok(asked.includes('A shadow.mirror.test'))
})
