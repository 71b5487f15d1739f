import httpProxy from '@fastify/http-proxy'
import Fastify from 'fastify'
import t from 'tap'
import { execFileSync } from 'node:child_process'
import dns from 'node:dns'
import { closeSync, constants, mkdtempSync, open, openSync, rmSync, writeFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { Worker } from 'node:worker_threads'
import type { WorkerOptions } from 'node:worker_threads'
import { gzip } from 'node:zlib'
import type { AddressInfo } from 'node:net'
import { startBackend } from '../helpers/backend'
import { keepAlive, modes } from '../helpers/gateway'
import { RefusingResolver } from '../helpers/name-server'
import { until } from '../helpers/until'

// More than libuv has threads.
const NAMES = 12

/** A worker whose look-ups open a pipe to which nobody writes. */
function workerWithout (preload: string, fifo: string) {
  writeFileSync(preload, `
    const { closeSync, open } = require('node:fs')
    const dns = require('node:dns')
    dns.Resolver = ${RefusingResolver}
    dns.lookup = (name, _options, callback) => open(${JSON.stringify(fifo)}, 'r', (error, fd) => {
      if (error === null) closeSync(fd)
      callback(error ?? Object.assign(new Error(name), { code: 'ENOTFOUND' }))
    })`)
  return class extends Worker {
    constructor (file: string, options: WorkerOptions) {
      super(file, { ...options, execArgv: [...process.execArgv, '--require', preload] })
    }
  }
}

for (const { mode, plugin } of modes) {
  t.test(`${mode}: names whose look-ups never end leave the primary its own look-ups, files and zlib`, async t => {
    const folder = mkdtempSync(join(tmpdir(), 'mirror-'))
    const fifo = join(folder, 'fifo')
    execFileSync('mkfifo', [fifo])
    const held = new Set<string>()
    // As a look-up does in the system's resolver, opening a pipe to which nobody writes keeps one of libuv's threads.
    const lookup = (name: string, _options: object, callback: (error: Error) => void) => {
      held.add(name)
      open(fifo, 'r', (error, fd) => {
        if (error === null) closeSync(fd)
        held.delete(name)
        callback(error ?? Object.assign(new Error(name), { code: 'ENOTFOUND' }))
      })
    }
    const { default: fastifyMirror } = t.mockRequire('../../lib', {
      'node:dns': { lookup, Resolver: RefusingResolver }, 'node:worker_threads': { Worker: workerWithout(join(folder, 'preload.cjs'), fifo) }
    })
    const primary = await startBackend(t)
    const app = Fastify()
    await app.register(fastifyMirror, { ...plugin, closeTimeout: 1 })
    const names = Array.from({ length: NAMES }, (_, i) => `dead${i}.test`)
    const upstream = `http://localhost:${primary.port}`
    for (const name of names) {
      const mirror = { id: name, backends: [`http://${name}`], timeout: 500, breaker: false as const }
      await app.register(httpProxy, { upstream, prefix: `/${name}`, config: { mirror } })
    }
    await app.listen({ port: 0, host: '127.0.0.1' })
    t.teardown(async () => {
      // Lets go of whoever waits for a writer, as often as it takes.
      const writer = openSync(fifo, constants.O_RDWR | constants.O_NONBLOCK)
      await app.close()
      await until('no look-up is left', () => held.size === 0)
      closeSync(writer)
      rmSync(folder, { recursive: true })
    })
    const client = keepAlive(t, `http://127.0.0.1:${(app.server.address() as AddressInfo).port}`)
    for (let round = 1; round <= 2; round++) {
      for (const name of names) {
        const { statusCode, body } = await client.request({ method: 'GET', path: `/${name}/` })
        t.equal(await body.text(), 'ok')
        t.equal(statusCode, 200, 'the primary\'s name is found')
      }
      await until('all copies are given up', () => Object.values(app.mirrors.list()).every(({ backends: [{ failure }] }) => failure.connect === round))
      if (mode === 'inline') t.equal(held.size, 1, 'one look-up is under way')
      t.ok((await readFile(__filename)).length > 0, 'files are read')
      t.ok((await promisify(dns.lookup)('localhost')).address, 'names are looked up')
      t.ok((await promisify(gzip)('text') as Buffer).length > 0, 'zlib works')
    }
    t.doesNotThrow(() => closeSync(openSync(fifo, constants.O_WRONLY | constants.O_NONBLOCK)), 'somebody waits for a writer')
  })
}
