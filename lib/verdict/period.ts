import { randomBytes } from 'node:crypto'

/** When the last one began. Two of one process never begin at once. */
let last = 0

/** One period of a mirror: its id, and when it began. */
export interface PeriodMark {
  /** Sorts by time, among processes too as far as their clocks agree. */
  readonly id: string
  readonly since: Date
}

export function newPeriod (): PeriodMark {
  last = Math.max(Date.now(), last + 1)
  return { id: `${last.toString(36)}-${randomBytes(3).toString('hex')}`, since: new Date(last) }
}

const ID = /^([0-9a-z]{8})-[0-9a-f]{6}$/
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:Z|[+-]\d\d:\d\d)$/

/** When a period began, by its id or as a time in ISO 8601 with its zone; `null`: it is neither. */
export function periodStart (text: string): number | null {
  const [, start] = ID.exec(text) ?? []
  if (start !== undefined) return parseInt(start, 36)
  const time = TIME.test(text) ? Date.parse(text) : NaN
  return Number.isNaN(time) ? null : time
}
