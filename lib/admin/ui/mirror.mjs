// Everything about one mirror.

import { el, keyed, setAttribute, setText } from './dom.mjs'
import { foreign } from './format.mjs'
import { createEndpoints } from './endpoints.mjs'
import { createFlow } from './flow.mjs'
import { createLatency } from './latency.mjs'
import { createLosses } from './losses.mjs'
import { createPlaces } from './places.mjs'
import { createSwitches } from './switches.mjs'
import { createVerdict } from './verdict.mjs'

/**
 * @typedef {import('../../../types/index').MirrorSnapshot} Snapshot
 * @typedef {import('../../../types/index').BackendSnapshot} Backend
 * @typedef {import('../page-data').PageMirror} PageMirror
 * @typedef {import('./latency.mjs').Points} Points
 * @typedef {import('./switches.mjs').Change} Change
 * @typedef {object} Actions
 * @property {(change: Change & { backends?: Record<string, Change> }) => Promise<void>} change
 * @property {() => void} askReset
 * @property {import('./places.mjs').Load} load
 * @property {import('./places.mjs').Choose} choose
 * @typedef {object} Data
 * @property {PageMirror} mirror
 * @property {boolean} stopped all mirrors are
 * @property {number} now
 * @property {(backend: string) => Points} latenciesOf
 * @property {import('./verdict.mjs').Data['intervalsOf']} intervalsOf
 * @property {import('./places.mjs').Filter} filter of the places
 * @property {import('./places.mjs').Data['countsOf']} countsOf
 */

/** Methods of a route that are not worth their names: a proxied route has all of them. */
const MANY = 4

/** @param {string} id @param {Actions} actions @returns {import('./dom.mjs').Part<Data> & { heading: HTMLElement }} */
export function createMirror (id, { change, askReset, load, choose }) {
  const name = foreign(id)
  const heading = el('h2', { tabindex: -1 }, name)
  const routes = el('p', { class: 'routes' })
  const switches = createSwitches(name, change)
  const verdict = createVerdict(askReset)
  const endpoints = createEndpoints()
  const places = createPlaces(load, choose)
  const backends = el('div')
  /** @type {Data | null} */
  let data = null
  const showBackends = keyed(backends, (/** @type {Backend} */ backend) => backend.name, createBackend)
  return {
    heading,
    node: el('article', {},
      el('a', { class: 'back', href: '#' }, '‹ All mirrors'),
      el('div', { class: 'top' }, el('div', {}, heading, routes), switches.node),
      verdict.node, backends, endpoints.node, places.node
    ),
    update (now) {
      data = now
      const { snapshot } = now.mirror
      setText(routes, snapshot.routes.map(
        ({ method, url }) => `${method.length > MANY ? `${method.length} methods` : method.join(' ')} ${foreign(url)}`
      ).join(', '))
      switches.update({ ...snapshot, stopped: now.stopped })
      verdict.update({ verdict: now.mirror.verdict, now: now.now, intervalsOf: now.intervalsOf })
      showBackends(snapshot.backends)
      endpoints.update({ endpoints: now.mirror.endpoints, now: now.now })
      places.update({
        places: now.mirror.places,
        endpoints: now.mirror.endpoints.endpoints.map(({ name }) => name).sort(),
        filter: now.filter,
        now: now.now,
        countsOf: now.countsOf,
        backends: snapshot.backends.length
      })
    }
  }

  /** @param {Backend} backend @returns {import('./dom.mjs').Part<Backend>} */
  function createBackend ({ name, url }) {
    const breaker = el('span', { class: 'chip bad' })
    const own = createSwitches(`backend ${foreign(name)}`, asked => change({ backends: { [name]: asked } }))
    const flow = createFlow()
    const latency = createLatency()
    const losses = createLosses()
    return {
      node: el('section', { class: 'backend' },
        el('div', { class: 'heading' },
          el('div', {}, el('h3', {}, foreign(name), ' ', breaker), foreign(url) === foreign(name)
            ? ''
            : el('p', { class: 'routes' }, foreign(url))),
          own.node
        ),
        flow.node,
        el('div', { class: 'columns' }, latency.node, losses.node)
      ),
      update (backend) {
        const { mirror, now, latenciesOf } = /** @type {Data} */ (data)
        breaker.hidden = backend.breaker === 'closed'
        setText(breaker, `breaker ${backend.breaker}`)
        // A single backend that gets everything needs no switch beside the mirror's.
        setAttribute(
          own.node, 'hidden', mirror.snapshot.backends.length === 1 && backend.enabled && backend.percentage === 100
        )
        own.update(backend)
        flow.update({ mirror: mirror.snapshot, backend })
        latency.update({ backend, points: latenciesOf(name), now })
        losses.update(backend)
      }
    }
  }
}
