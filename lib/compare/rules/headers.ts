import { diffCookies } from '../cookies'
import type { CookieDifference } from '../cookies'
import { MAX_VALUE } from './formats'
import { fitsGlob } from './glob'
import type { Origins } from './origins'
import type { Kind, Rule } from './rule'
import type { HeaderDifference } from '../../../types/index'

const SET_COOKIE = 'set-cookie'
/** Whose value is a link, or several. */
const LINKS: ReadonlySet<string> = new Set(['location', 'content-location', 'link'])

/** What rules say of a header, a cookie, or a part of one. */
interface Answers {
  /** It is not compared. */
  free: boolean
  optional: boolean
  mayBeAdded: boolean
  unordered: boolean
  /** `null`: exactly. */
  value: Exclude<Kind, { name: 'type' | 'unordered' | 'ignore' | 'optional' | 'additions' | 'only' }> | null
}

/** The rules for headers. They are asked only where some differ, which are few. */
export class HeaderRules {
  readonly #rules: readonly Rule[]
  readonly #origins: Origins | null

  constructor (rules: readonly Rule[], origins: Origins | null) {
    this.#rules = rules.filter(({ at }) => at.on === 'header' || at.on === 'cookie')
    this.#origins = origins
  }

  /** What of the headers that differ still differs. Cookies are told by their parts. */
  left (differences: readonly HeaderDifference[]): HeaderDifference[] {
    return differences.flatMap(difference => {
      return difference.name === SET_COOKIE ? this.#cookies(difference) : this.#matches(difference) ? [] : [difference]
    })
  }

  /** Whether what was told as a difference matches by these rules. */
  explains (difference: HeaderDifference): boolean {
    const { name, primary: [primary = null], shadow: [shadow = null] } = difference
    const [header, cookie, part = null] = name.split('/')
    if (cookie === undefined) return this.left([difference]).length === 0
    return header === SET_COOKIE && this.#cookieMatches({ cookie, part, primary, shadow })
  }

  #matches ({ name, primary, shadow }: HeaderDifference): boolean {
    const answers = this.#answers(name)
    if (primary.length === 0 || shadow.length === 0) return mayLack(answers, primary.length === 0)
    const [one, other] = [primary.join(', '), shadow.join(', ')]
    if (haveSameItems(one, other, answers) || valuesMatch(one, other, answers)) return true
    return this.#origins !== null && LINKS.has(name) && this.#origins.areAlike(one, other)
  }

  #cookies (difference: HeaderDifference): HeaderDifference[] {
    const all = this.#answers(SET_COOKIE)
    const { primary, shadow } = difference
    const isLone = primary.length === 0 || shadow.length === 0
    if (isLone && mayLack(all, primary.length === 0)) return []
    if (all.value !== null) return isLone ? [difference] : []
    const parts = diffCookies(primary, shadow)
    if (parts === null) return all.free ? [] : [difference]
    if (parts.length === 0) return all.free || all.unordered ? [] : [difference]
    return parts.filter(part => !this.#cookieMatches(part)).map(({ cookie, part, primary, shadow }) => ({
      name: `${SET_COOKIE}/${cookie}${part === null ? '' : `/${part}`}`,
      primary: primary === null ? [] : [primary],
      shadow: shadow === null ? [] : [shadow]
    }))
  }

  #cookieMatches ({ cookie, part, primary, shadow }: CookieDifference): boolean {
    const answers = this.#answers(SET_COOKIE, cookie, part)
    if (primary !== null && shadow !== null) return valuesMatch(primary, shadow, answers)
    if (!mayLack(answers, primary === null)) return false
    // Of one that is on one side alone the value is missing, too.
    return part !== null || !answers.free || this.#answers(SET_COOKIE, cookie, 'value').free
  }

  /** `part`: of the cookie, `null`: all of it. */
  #answers (name: string, cookie: string | null = null, part: string | null = null): Answers {
    const answers: Answers = { free: false, optional: false, mayBeAdded: false, unordered: false, value: null }
    for (const { at, kind } of this.#rules) {
      if (at.on === 'header') {
        if (fitsGlob(at.name, name)) answer(answers, kind, cookie === null)
      } else if (at.on === 'cookie' && cookie !== null && fitsGlob(at.name, cookie)) {
        if (at.part === null || at.part === part) answer(answers, kind, at.part === part)
      }
    }
    return answers
  }
}

/** `own`: the rule is for this very thing, and not for what it is a part of. */
function answer (answers: Answers, kind: Kind, own: boolean): void {
  const { name } = kind
  if (name === 'ignore' || (name === 'presence' && !own)) {
    Object.assign(answers, { free: true, optional: false, mayBeAdded: false, unordered: false, value: null })
    return
  }
  if (!own) return
  answers.free = false
  if (name === 'optional') answers.optional = true
  else if (name === 'additions') answers.mayBeAdded = true
  else if (name === 'unordered') answers.unordered = true
  else if (name === 'tolerance' || name === 'format' || name === 'presence') answers.value = kind
  // It must be there on both sides, or on none.
  if (name === 'presence') answers.optional = answers.mayBeAdded = false
}

function mayLack ({ free, optional, mayBeAdded }: Answers, primaryLacks: boolean): boolean {
  return free || optional || (mayBeAdded && primaryLacks)
}

function valuesMatch (a: string, b: string, { free, value }: Answers): boolean {
  if (free || value === null) return free
  return value.name === 'presence' || (Math.max(a.length, b.length) <= MAX_VALUE && value.alike(a, b))
}

function haveSameItems (a: string, b: string, { unordered }: Answers): boolean {
  return unordered && itemsOf(a) === itemsOf(b)
}

function itemsOf (list: string): string {
  return list.split(',').map(item => item.trim()).sort().join()
}
