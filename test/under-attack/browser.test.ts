import cors from '@fastify/cors'
import type { onRequestHookHandler } from 'fastify'
import { createHash, timingSafeEqual } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import net from 'node:net'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { runInThisContext } from 'node:vm'
import type { Page } from 'playwright-core'
import t from 'tap'
import type { Test } from 'tap'
import { readConfig } from '../../examples/gateway/config'
import { createGateway } from '../../examples/gateway/gateway'
import { YamlFile } from '../../examples/gateway/yaml-file'
import type { AdminHook } from '../../types/index'
import { startBackend } from '../helpers/backend'
import { HOSTS, closeBrowser, noBrowser, openPage } from '../helpers/browser'
import { startGateway } from '../helpers/gateway'
import { until } from '../helpers/until'

t.teardown(closeBrowser)

const PASSWORD = 'correct horse'
const SECRET = 'alice@example.org'

/** The hook that docs/admin.md gives to those who want a password, as it stands there. */
function guardOfDocs (): AdminHook {
  const page = readFileSync(join(__dirname, '../../docs/admin.md'), 'utf8')
  const begins = page.indexOf('import { createHash, timingSafeEqual }')
  const code = page.slice(page.indexOf('\n', begins), page.indexOf('\n```', begins))
  const make = runInThisContext(`(createHash, timingSafeEqual, process) => {${code}\nreturn onRequest }`)
  return make(createHash, timingSafeEqual, { env: { MIRRORS_PASSWORD: PASSWORD } })
}

/** A port that leads to another one, which may change: as a name does whose address is changed. */
async function startName (t: Test, leadsTo: () => number): Promise<number> {
  const server = net.createServer(socket => {
    const other = net.connect(leadsTo(), '127.0.0.1')
    socket.on('error', () => other.destroy()).pipe(other)
    other.on('error', () => socket.destroy()).pipe(socket)
    t.teardown(() => {
      socket.destroy()
      other.destroy()
    })
  })
  server.listen(0, '127.0.0.1')
  t.teardown(() => server.close())
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

interface Asked { status: number | null, text: string }

/** What a script in the page gets. */
function ask (page: Page, url: string, init: object = {}): Promise<Asked> {
  return page.evaluate(`fetch(${JSON.stringify(url)}, ${JSON.stringify(init)}).then(
    async answer => ({ status: answer.status, text: await answer.text() }),
    error => ({ status: null, text: String(error) })
  )`)
}

const SWITCH = { method: 'PATCH', headers: { 'content-type': 'application/json' }, body: '{"enabled":false}' }

const where = { skip: noBrowser }

t.test('a page whose name comes to lead to the example gateway\'s numbers gets nothing', where, async t => {
  const primary = await startBackend(t, (_, response) => response.end(SECRET))
  const shadow = await startBackend(t, (_, response) => response.end('other'))
  const { app, admin } = await createGateway(readConfig(new YamlFile(`
admin: { port: 0 }
routes:
  - id: api
    path: /api
    backends: [{ url: "${primary.url}" }]
    mirror: { backends: [{ url: "${shadow.url}" }], compare: { enabled: true, detailed_diff: true } }
`)))
  t.teardown(() => app.close())
  app.log.level = 'silent'
  const listening = new URL(await admin?.listen('127.0.0.1', 0) as string)
  await app.inject(`/api?who=${SECRET}`)
  await until('it is compared', () => app.mirrors.get('api')?.backends[0].mismatched === 1)

  const attacker = await startBackend(t, (_, response) => {
    response.writeHead(200, { 'content-type': 'text/html', connection: 'close' }).end('<title>innocent</title>')
  })
  let leadsTo = attacker.port
  const port = await startName(t, () => leadsTo)
  const { page } = await openPage(t)
  await page.goto(`http://${HOSTS.sister}:${port}/`)
  t.equal(await page.title(), 'innocent')
  leadsTo = Number(listening.port)

  const paths = ['/mirrors', '/mirrors/api', '/mirrors/api/mismatches', '/mirrors/verdict', '/mirrors/ui/state?mirror=api']
  for (const path of paths) {
    const { status, text } = await ask(page, path)
    t.equal(status, 421, path)
    t.notMatch(text, /alice|shadow|"api"/)
  }
  t.equal((await ask(page, '/mirrors', SWITCH)).status, 421)
  t.equal((await ask(page, '/mirrors/api/reset', { method: 'POST' })).status, 421)
  t.equal((await page.goto(`http://${HOSTS.sister}:${port}/mirrors/ui`))?.status(), 421)
  t.match(app.mirrors.get('api'), { enabled: true, seen: 1 }, 'and changes nothing')

  await page.goto(`http://localhost:${port}/mirrors/ui`)
  await page.getByRole('heading', { name: 'api', exact: true }).waitFor()
  for (const path of paths) t.equal((await ask(page, path)).status, 200, `by its own name: ${path}`)
  t.match((await ask(page, '/mirrors/api/mismatches')).text, /alice/)
})

t.test('the password of docs/admin lets browsers in, and no page of another origin, whatever CORS it has', where, async t => {
  const shadow = await startBackend(t, (_, response) => response.end('other'))
  const guard = guardOfDocs()
  const gateway = await startGateway(t, {
    plugin: { admin: { onRequest: guard } },
    server: { forceCloseConnections: true, logger: false },
    routes: async app => {
      await app.register(cors, { origin: true, credentials: true, methods: ['GET', 'POST', 'PATCH', 'DELETE'] })
      const mirror = { id: 'api', backends: [shadow.url], compare: { enabled: true, detailedDiff: true } }
      app.get('/api', { mirror, onRequest: guard as onRequestHookHandler }, async () => SECRET)
    }
  })
  const { app } = gateway
  const authorization = `Basic ${btoa(`ops:${PASSWORD}`)}`
  await app.inject({ url: `/api?who=${SECRET}`, headers: { authorization } })
  await until('it is compared', () => gateway.backend().mismatched === 1)
  const own = `http://${HOSTS.gateway}:${gateway.port}`

  const statuses = new Map<string, number>()
  // The browser tells nobody of answers that it keeps from a page.
  app.server.on('request', ({ method, url }, response) => {
    response.on('finish', () => statuses.set(`${method} ${url}`, response.statusCode))
  })

  for (const [who, options] of [
    ['who knows no password', {}],
    ['who has a wrong one', { httpCredentials: { username: 'ops', password: 'wrong' } }],
    ['who has another name', { httpCredentials: { username: 'admin', password: PASSWORD } }]
  ] as const) {
    const { page } = await openPage(t, options)
    // A browser may show the answer, or say that the password is wrong.
    await page.goto(`${own}/mirrors/ui`).catch(() => {})
    t.equal(statuses.get('GET /mirrors/ui'), 401, who)
  }
  t.notOk([...statuses.keys()].some(asked => asked.includes('/mirrors/ui/')), 'who is not let in asks for no more')

  const httpCredentials = { username: 'ops', password: PASSWORD, origin: own }
  const { page, complaints } = await openPage(t, { httpCredentials })
  await page.goto(`${own}/mirrors/ui`)
  await page.getByRole('heading', { name: 'api', exact: true }).waitFor()
  await page.getByRole('spinbutton', { name: 'Percentage of api' }).fill('50')
  await page.getByRole('button', { name: 'Apply' }).click()
  await until('the page reads and switches', () => gateway.mirror().percentage === 50)
  t.match((await ask(page, '/mirrors/api/mismatches')).text, /alice/)
  t.strictSame(complaints.filter(text => !text.includes('401')), [], 'it complains of nothing else')

  // Of the same site, so what the browser has is sent.
  const attacker = await startBackend(t, (_, response) => {
    response.setHeader('content-type', 'text/html').end('<title>evil</title>')
  })
  await page.goto(`http://${HOSTS.sister}:${attacker.port}/`)
  const init = { credentials: 'include' }
  t.strictSame(await ask(page, `${own}/api`, init), { status: 200, text: SECRET }, 'the app lets other origins in with it')
  const reads = ['/mirrors', '/mirrors/api', '/mirrors/api/mismatches', '/mirrors/api/verdict', '/mirrors/ui/state?mirror=api']
  const tries = [
    ...reads.map(path => ['GET', path, init] as const),
    ['PATCH', '/mirrors', { ...SWITCH, ...init }], ['POST', '/mirrors/api/reset', { ...init, method: 'POST' }],
    ['DELETE', '/mirrors/api/mismatches', { ...init, method: 'DELETE' }]
  ] as const
  for (const [method, path, how] of tries) {
    t.match(await ask(page, own + path, how), { status: null, text: /Failed to fetch/ }, `${method} ${path}: nothing is read`)
    t.equal(statuses.get(`${method} ${path}`), 403, 'let in by the password, it is refused for where it comes from')
  }
  for (const path of ['/mirrors', '/mirrors/api/mismatches']) {
    t.match(await ask(page, own + path, { ...init, mode: 'no-cors' }), { status: null }, 'nor kept, unread')
  }
  t.match(gateway.mirror(), { enabled: true, percentage: 50 })
  t.equal(app.mirrors.enabled, true)
  t.ok(gateway.mirror().seen > 0 && app.mirrors.mismatches('api')?.places.length)
})
