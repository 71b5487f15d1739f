// The page: which mirror is looked at, what it looks like now, and what is changed.

import { intervalOf } from './confidence.mjs'
import { createContact } from './contact.mjs'
import { byId, el, replace, setAttribute, setText } from './dom.mjs'
import { at, foreign, span } from './format.mjs'
import { gain, Histories } from './history.mjs'
import { createList } from './list.mjs'
import { createMirror } from './mirror.mjs'
import { ask, pathOf, Refused } from './talk.mjs'

/**
 * @typedef {import('../page-data').PageState} State
 * @typedef {import('../page-data').PageRow} Row
 */

/** Milliseconds after which what is shown is not live, whatever the reason. */
const STALE = 12_000
/** Both panes stand side by side, as in style.css. */
const wide = matchMedia('(min-width: 60rem)')
const detail = byId('detail')
const stop = byId('stop')
const list = createList()
const contact = createContact({ query, onState, onLost })

/** @type {State | null} */
let state = null
/** The id of the mirror that somebody chose to look at. @type {string | null} */
let chosen = idInAddress()
/** The one that is shown beside the list where nobody did. @type {string | null} */
let fallback = null
/** @type {{ id: string, part: ReturnType<typeof createMirror> } | null} */
let shown = null
/** Which of its places are asked for. @type {import('./places.mjs').Filter} */
let filter = { sort: 'rarest' }
/** Whether the heading of the mirror gets the focus as soon as it is there. */
let goes = false
let lostSince = 0
/** Time of this browser when the last answer came. */
let lastAnswer = 0

/** Ids of the processes that have answered. @type {Set<string>} */
const instances = new Set()
let instance = ''
/** By process, mirror, start of its counters, and place of mismatches. @type {Histories<number>} */
const counts = new Histories()
/** By process, mirror, start of its counters, and backend. @type {Histories<import('./latency.mjs').Pair>} */
const latencies = new Histories()

/** By process, mirror, start of its counters, and backend. @type {Histories<import('./confidence.mjs').Interval>} */
const intervals = new Histories()

setText(byId('host'), location.host)
addEventListener('hashchange', select)
wide.addEventListener('change', look)
stop.addEventListener('click', switchAll)
setInterval(tellTime, 1000)
contact.now()

/** @param {State} now */
function onState (now) {
  state = now
  lastAnswer = Date.now()
  lostSince = 0
  setText(byId('lost'), '')
  document.documentElement.removeAttribute('data-lost')
  // A process that answers for the first time may be one that took the place of another.
  if (instance !== now.instance && instances.has(now.instance)) {
    setText(byId('several'), 'Several processes answer in turn: each has numbers and switches of its own.')
  }
  instances.add(instance = now.instance)
  remember(now)
  tellTime()
  const before = fallback
  render()
  if (before !== fallback && chosen === null) contact.now()
}

/** @param {State} now */
function remember ({ time, mirrors, mirror }) {
  const when = Date.parse(time)
  for (const { id, since, seen, backends } of mirrors) {
    counts.of(instance, id, since).add(when, seen)
    for (const { name, primary, shadow } of backends) {
      latencies.of(instance, id, since, name).add(when, { primary, shadow })
    }
  }
  if (mirror === null) return
  const { snapshot, verdict } = mirror
  for (const { name, reasons } of verdict.backends) {
    const history = intervals.of(instance, snapshot.id, verdict.since, name)
    for (const interval of reasons.map(intervalOf)) {
      if (interval !== null && interval.of !== history.last?.value.of) history.add(when, interval)
    }
  }
  for (const { id, count } of mirror.places.places) {
    counts.of(instance, mirror.snapshot.id, mirror.verdict.since, id).add(when, count)
  }
}

/** @param {Error} error */
function onLost (error) {
  lostSince ||= Date.now()
  document.documentElement.setAttribute('data-lost', '')
  const hint = error instanceof Refused ? 'Reload the page to sign in again.' : 'Trying again.'
  const age = state === null ? '' : `What you see is as of ${at(lastAnswer, Date.now())}. `
  setText(byId('lost'), `Contact lost (${foreign(error.message)}). ${age}${hint}`)
  tellTime()
}

function tellTime () {
  const text = byId('contact-text')
  const silence = Date.now() - (lastAnswer || lostSince)
  if (lostSince > 0 || (lastAnswer > 0 && silence > STALE)) setText(text, `No contact for ${span(silence)}`)
  else if (lastAnswer > 0) setText(text, `Live, updated ${at(lastAnswer, lastAnswer)}`)
}

function look () {
  render()
  contact.now()
}

function select () {
  // Other addresses are places on the page, such as the one that the first link leads to.
  if (location.hash !== '' && !location.hash.startsWith('#/')) return
  const left = current()
  chosen = idInAddress()
  // Another mirror has other endpoints.
  filter = { sort: filter.sort }
  goes = chosen !== null
  setText(byId('failed'), '')
  look()
  if (chosen === null && left !== null) list.focus(left)
}

/** The query. @returns {Record<string, string>} */
function query () {
  const mirror = current()
  return mirror === null ? {} : { mirror, ...filter }
}

/** The mirror that is looked at. */
function current () {
  return chosen ?? (wide.matches ? fallback : null)
}

/** @returns {string | null} */
function idInAddress () {
  if (!location.hash.startsWith('#/')) return null
  try {
    return decodeURIComponent(location.hash.slice(2))
  } catch {
    return null
  }
}

function render () {
  if (state === null) return
  const { mirrors, more, enabled, time } = state
  // Selects what needs a look, if anything does.
  fallback ??= (mirrors.find(({ enabled, verdict }) => enabled && verdict === 'not ready') ?? mirrors[0])?.id ?? null
  const selected = current()
  document.documentElement.toggleAttribute('data-detail', selected !== null)
  document.title = selected === null ? 'Mirrors' : `${foreign(selected)} – Mirrors`

  stop.hidden = mirrors.length === 0
  setText(stop, enabled ? 'Stop all mirroring' : 'Resume mirroring')
  setAttribute(stop, 'class', enabled ? 'danger' : 'primary')
  setText(byId('stopped'), enabled ? '' : 'All mirroring is stopped. Resumed, each mirror goes on as it was switched.')

  list.update({ rows: mirrors, more, selected, rateOf: id => gain(counts.of(instance, id, sinceOf(id))) })
  renderMirror(selected, Date.parse(time))
}

/** @param {string | null} selected @param {number} now */
function renderMirror (selected, now) {
  const mirror = state?.mirror ?? null
  if (selected === null) {
    shown = null
    replace(detail)
  } else if (mirror !== null && mirror.snapshot.id === selected) {
    if (shown?.id !== selected) {
      shown = { id: selected, part: createMirror(selected, actionsFor(selected)) }
      replace(detail, shown.part.node)
    }
    const { id, part } = shown
    const { since } = mirror.verdict
    part.update({
      mirror,
      stopped: !state?.enabled,
      now,
      intervalsOf: backend => intervals.of(instance, id, since, backend).after(0),
      latenciesOf: backend => latencies.of(instance, id, since, backend).after(0),
      filter,
      countsOf: place => counts.of(instance, id, since, place)
    })
    if (goes) part.heading.focus()
    goes = false
  } else {
    shown = null
    const known = state?.mirrors.some(({ id }) => id === selected)
    replace(
      detail, el('a', { class: 'back', href: '#' }, '‹ All mirrors'),
      el('p', { class: 'quiet' }, known ? 'Loading' : `There is no mirror ${foreign(selected)}.`)
    )
  }
}

/** @param {string} id */
function sinceOf (id) {
  return state?.mirrors.find(row => row.id === id)?.since ?? ''
}

/** @param {string} id @returns {import('./mirror.mjs').Actions} */
function actionsFor (id) {
  return {
    async change (asked) {
      await ask('PATCH', pathOf(id), {}, asked)
      contact.now()
    },
    load: place => ask('GET', '/ui/place', { mirror: id, place, base: baseOfApp() }),
    choose (wanted) {
      filter = wanted.endpoint === undefined ? { sort: wanted.sort } : wanted
      contact.now()
    },
    askReset
  }

  function askReset () {
    const dialog = el('dialog', { 'aria-labelledby': 'reset-title', close: () => dialog.remove() },
      el('h2', { id: 'reset-title' }, `Count ${foreign(id)} anew?`),
      el('p', {}, 'Its counters, latencies and mismatches begin at nothing, as for a new version of a shadow. ' +
        'What was counted so far is gone.'),
      el('form', { method: 'dialog', class: 'buttons' },
        el('button', { type: 'submit' }, 'Keep counting'),
        el('button', {
          type: 'submit',
          class: 'danger',
          click: () => {
            attempt(() => ask('POST', `${pathOf(id)}/reset`))
          }
        }, 'Count anew')
      )
    )
    document.body.append(dialog)
    dialog.showModal()
  }
}

/** Where this app is, as this browser reaches it: the page's address without the page's own path. */
function baseOfApp () {
  const path = location.pathname
  const own = `${state?.prefix}/ui`
  return location.origin + (path.endsWith(own) ? path.slice(0, -own.length) : '')
}

function switchAll () {
  attempt(() => ask('PATCH', '', {}, { enabled: !state?.enabled }))
}

/** @param {() => Promise<unknown>} action */
async function attempt (action) {
  setText(byId('failed'), '')
  try {
    await action()
  } catch (error) {
    setText(byId('failed'), `That did not work: ${foreign(/** @type {Error} */ (error).message)}`)
  }
  contact.now()
}
