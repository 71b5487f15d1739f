// Traffic as a flow: each stage is the one before it less what left on the way, so the numbers add up.

import { el, keyed, setAttribute, setText, svg } from './dom.mjs'
import { count, percent } from './format.mjs'
import { DROPPED, FAILED, NOT_COMPARED } from './reasons.mjs'
import { SKIPPED } from './words.mjs'

/**
 * @typedef {import('../../../types/index').MirrorSnapshot} Mirror
 * @typedef {import('../../../types/index').BackendSnapshot} Backend
 * @typedef {{ key: string, label: string, count: number, bad: boolean }} Leaver
 * @typedef {{ name: string, count: number, before: number, left: Leaver[] }} Stage
 */

const WIDTH = 100
const HEIGHT = 40
/** The least width of a band that is not empty. */
const THINNEST = 1

/** @param {Mirror} mirror @param {Backend} backend @returns {Stage[]} */
export function stagesOf (mirror, backend) {
  /** @type {Stage[]} */
  const stages = []
  next('Seen', mirror.seen, [])
  next('Passed filters', undefined, pick(mirror, SKIPPED, ['disabled', 'filtered', 'looped', 'upgraded']))
  next('Sampled', undefined, pick(mirror, SKIPPED, ['unsampled']))
  next('Sent', backend.total, [
    ...pick(mirror, SKIPPED, ['pending', 'unhandled']),
    { key: 'off', label: 'backend switched off', count: backend.disabled, bad: false },
    { key: 'share', label: 'not sampled for this backend', count: backend.unsampled, bad: false },
    ...reasons(backend.dropped, DROPPED, 'dropped: ', true)
  ])
  next('Answered', backend.success, [
    { key: 'inFlight', label: 'in flight', count: backend.inFlight, bad: false },
    ...reasons(backend.failure, FAILED, '', true)
  ])
  next('Matched', backend.matched, [
    { key: 'comparing', label: 'being compared', count: backend.comparing, bad: false },
    ...reasons(backend.notCompared, NOT_COMPARED, 'not compared: ', false),
    { key: 'mismatched', label: 'mismatched', count: backend.mismatched, bad: true }
  ])
  return stages

  /** @param {string} name @param {number | undefined} counted @param {Leaver[]} left */
  function next (name, counted, left) {
    const before = stages.at(-1)?.count ?? mirror.seen
    const remaining = counted ?? left.reduce((rest, leaver) => rest - leaver.count, before)
    stages.push({ name, count: remaining, before, left: left.filter(leaver => leaver.count > 0) })
  }
}

/**
 * @param {any} mirror any of its numbers @param {Record<string, string>} words @param {string[]} keys @returns
 * {Leaver[]}
 */
function pick (mirror, words, keys) {
  return keys.map(key => ({ key, label: words[key], count: mirror[key], bad: false }))
}

/**
 * @param {Record<string, number>} counts @param {Record<string, { label: string }>} words @param {string} what @param
 * {boolean} bad @returns {Leaver[]}
 */
function reasons (counts, words, what, bad) {
  return Object.entries(counts)
    .map(([key, count]) => ({ key: what + key, label: what + (words[key]?.label ?? key), count, bad }))
}

/** @returns {import('./dom.mjs').Part<{ mirror: Mirror, backend: Backend }>} */
export function createFlow () {
  const node = el('ol', { class: 'flow' })
  /** `seen` of the last data. */
  let seen = 0
  const show = keyed(node, (/** @type {Stage} */ stage) => stage.name, createStage)
  return {
    node,
    update ({ mirror, backend }) {
      seen = mirror.seen
      show(stagesOf(mirror, backend))
    }
  }

  /** @param {Stage} stage @returns {import('./dom.mjs').Part<Stage>} */
  function createStage ({ name }) {
    const gone = svg('path', { class: 'gone' })
    const band = svg('path', { class: 'goes-on' })
    const total = el('strong')
    const share = el('span', { class: 'share' })
    const losses = el('ul', { class: 'losses' })
    const showLosses = keyed(losses, leaver => leaver.key, createLoss)
    return {
      node: el('li', {},
        svg('svg', {
          class: 'band', viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: 'none', 'aria-hidden': 'true'
        }, gone, band),
        el('div', { class: 'stage' }, el('span', { class: 'stage-name' }, name), total, share),
        losses
      ),
      update (stage) {
        const before = thickness(stage.before, seen)
        const lost = stage.left.reduce((sum, leaver) => leaver.bad ? sum + leaver.count : sum, 0)
        setAttribute(gone, 'd', lost === 0 ? null : bandOf(before, thickness(stage.count + lost, seen)))
        setAttribute(band, 'd', bandOf(before, thickness(stage.count, seen)))
        setText(total, count(stage.count))
        setText(share, stage.name === 'Seen' ? '' : percent(stage.count, seen))
        showLosses(stage.left)
      }
    }
  }
}

/** @param {Leaver} leaver @returns {import('./dom.mjs').Part<Leaver>} */
function createLoss ({ label, bad }) {
  const number = el('span', { class: 'number' })
  return {
    node: el('li', { class: bad ? 'bad' : null }, number, ` ${label}`),
    update: ({ count: lost }) => setText(number, `−${count(lost)}`)
  }
}

/** @param {number} part @param {number} all */
function thickness (part, all) {
  return part === 0 || all === 0 ? 0 : Math.max(THINNEST, part / all * HEIGHT)
}

/** From the thickness of the stage before to this one's. @param {number} from @param {number} to */
function bandOf (from, to) {
  const top = (HEIGHT - from) / 2
  const end = (HEIGHT - to) / 2
  const bend = 30
  return `M0 ${top}C${bend / 2} ${top} ${bend / 2} ${end} ${bend} ${end}H${WIDTH}V${HEIGHT - end}H${bend}` +
    `C${bend / 2} ${HEIGHT - end} ${bend / 2} ${HEIGHT - top} 0 ${HEIGHT - top}Z`
}
