import type { FastifyReply, FastifyRequest } from 'fastify'
import { randomUUID } from 'node:crypto'
import { readFileSync, readdirSync } from 'node:fs'
import { extname, join } from 'node:path'
import type { Mirrors } from '../../types/index'
import { DROPPED, FAILED, NOT_COMPARED } from '../reasons'
import { JSON_TYPE } from './route'
import type { AddRoute } from './route'
import type { EndpointLists } from './endpoint-page'
import { HEADERS as OF_ALL } from './headers'
import { joined } from './joined'
import { pageExamples, pageMirror } from './page-data'
import type { PageRows, PlaceFilter } from './page-data'
import * as schemas from './page-schemas'
import type { Verdicts } from './verdicts'

/** The page's files, as they are served. */
const FOLDER = join(__dirname, 'ui')
const PAGE = 'page.html'
/** The reasons as a module of the page: it has no words of its own for them. Its types are in types/page. */
const REASONS = Object.entries({ DROPPED, FAILED, NOT_COMPARED })
  .map(([name, reasons]) => `export const ${name} = ${JSON.stringify(reasons)}\n`).join('')

const TYPES: Readonly<Record<string, string>> = {
  '.css': 'text/css; charset=utf-8',
  '.html': 'text/html; charset=utf-8',
  '.mjs': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml'
}

/**
 * The page may do nothing but load its own files and talk to where it came from: no inline script or style, no other
 * host, in no frame, and no text that becomes HTML, whatever a backend answers.
 */
const HEADERS = {
  ...OF_ALL,
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; " +
    "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
  'referrer-policy': 'no-referrer'
}

/** The place may have been cleared meanwhile. */
const NO_MISMATCH = {
  statusCode: 404, error: 'Not Found', message: 'there is no such mismatch: it may have been cleared meanwhile'
}

interface OfAny { mirror?: string }
interface OfPlace { mirror: string, place: string, base: string }

/**
 * The page for people, at `{prefix}/ui`, its files and its data below that: what it shows is made for it alone. What it
 * changes, it changes by the routes that everybody has.
 */
export function addPage (
  mirrors: Mirrors, verdicts: Verdicts, endpoints: EndpointLists, rows: PageRows, add: AddRoute
): void {
  for (const name of readdirSync(FOLDER)) addFile(name, readFileSync(join(FOLDER, name)))
  addFile('reasons.mjs', REASONS)
  const instance = randomUUID()
  const find = (id: string) => verdicts.mirrors().get(id)

  add('GET', '/ui/state', schemas.state, async (request, reply) => {
    const { mirror: id, ...filter } = request.query as OfAny & PlaceFilter
    const { rows: shown, more } = await rows.read()
    const mirror = id === undefined ? undefined : find(id)
    const one = mirror === undefined ? 'null' : [await pageMirror(mirror, filter, verdicts, endpoints)]
    const prefix = request.routeOptions.url?.replace(/\/ui\/state\/?$/, '')
    const rest =
      JSON.stringify({ instance, prefix, time: new Date().toISOString(), enabled: mirrors.enabled, more }).slice(0, -1)
    return reply.headers(HEADERS).type(JSON_TYPE).send(joined(`${rest},"mirrors":[`, shown, '],"mirror":', one, '}'))
  })
  add('GET', '/ui/place', schemas.place, async (request, reply) => {
    const { mirror, place, base } = request.query as OfPlace
    reply.headers(HEADERS)
    return pageExamples(find(mirror), place, base) ?? reply.code(404).send(NO_MISMATCH)
  })

  function addFile (name: string, content: Buffer | string): void {
    const headers = { ...HEADERS, 'content-type': TYPES[extname(name)] }
    add('GET', name === PAGE ? '/ui' : `/ui/${name}`, schemas.file, async (
      request: FastifyRequest, reply: FastifyReply
    ) => {
      // Its links are relative to the path without a slash at its end, which some apps ignore.
      if (name === PAGE && /^[^?]*\/(?:\?|$)/.test(request.raw.url as string)) return reply.redirect('../ui')
      return reply.headers(headers).send(content)
    }, { others: name === PAGE ? 'link' : 'load' })
  }
}
