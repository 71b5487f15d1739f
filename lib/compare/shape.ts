import { FORMATS } from './rules/formats'
import { instantOf } from './rules/instant'

/** What two values that differ look like: as little as tells by which rule they would match. */
export const SHAPE = {
  /** Nothing that could be told of both. */
  other: 0,
  /** The same elements in another order. */
  order: 1,
  /** One side has none, or `null`. */
  absent: 2,
  /** Numbers, and how near: a step of `NEARNESS`. */
  number: 3,
  /** The same as text. */
  digits: 4,
  /** Date-times, and how near: a step of `CLOSENESS`. */
  'date-time': 5,
  date: 6,
  uuid: 7,
  ulid: 8,
  url: 9,
  /** Text without space. */
  opaque: 10,
  /** Scalars of one JSON type. */
  type: 11
} as const
export type ShapeName = keyof typeof SHAPE

const NAMES = Object.keys(SHAPE) as ShapeName[]
const STEP = 16

/** A shape and, where it has one, its step, as one number. */
export type Shape = number

/** Of numbers: at most so large a part of the lesser are they apart. */
export const NEARNESS: readonly number[] = [
  ...[1e-9, 1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2].flatMap(each => [each, each * 2, each * 5]), 0.1, 0.2, 0.5
]
/** Of date-times: at most so many seconds are they apart. */
export const CLOSENESS: readonly number[] = [0.01, 0.1, 1, 5, 10, 30, 60, 300, 900, 3600]

/** Characters of a text that is looked at. */
const MAX_TEXT = 512
const NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/
const FORMAT_SHAPES = ['uuid', 'ulid', 'date', 'url', 'opaque'] as const

export function shapeName (shape: Shape): ShapeName {
  return NAMES[shape % STEP]
}

/** Of numbers and date-times; one past the last: they are farther apart than that. */
export function stepOf (shape: Shape): number {
  return Math.floor(shape / STEP)
}

function shaped (name: ShapeName, step = 0): Shape {
  return SHAPE[name] + STEP * step
}

/** Of two texts, which are strings in JSON or the values of a header. */
export function textShape (a: string, b: string): Shape {
  if (Math.max(a.length, b.length) > MAX_TEXT) return SHAPE.type
  if (NUMBER.test(a) && NUMBER.test(b)) return shaped('digits', nearness(a, b))
  const [one, other] = [instantOf(a), instantOf(b)]
  if (one !== null && other !== null) {
    return shaped('date-time', stepAt(CLOSENESS, Math.abs(Number(one) - Number(other))))
  }
  for (const format of FORMAT_SHAPES) if (FORMATS[format](a) && FORMATS[format](b)) return SHAPE[format]
  return SHAPE.type
}

/** Of two numbers as JSON has them. */
export function numberShape (a: string, b: string): Shape {
  return shaped('number', nearness(a, b))
}

function nearness (a: string, b: string): number {
  const [one, other] = [Number(a), Number(b)]
  // A tolerance is a part of the primary's, which may be either.
  const least = Math.min(Math.abs(one), Math.abs(other))
  return stepAt(NEARNESS, Math.abs(one - other) / least)
}

function stepAt (steps: readonly number[], value: number): number {
  const step = steps.findIndex(most => value <= most)
  return step === -1 ? steps.length : step
}

const TEXTS: ReadonlySet<ShapeName> = new Set(['digits', 'date-time', 'date', 'uuid', 'ulid', 'url', 'opaque'])

/** What can be told of the differences of both shapes. */
export function wider (a: Shape, b: Shape): Shape {
  const [one, other] = [shapeName(a), shapeName(b)]
  if (one === other) return Math.max(a, b)
  if (TEXTS.has(one) && TEXTS.has(other)) return SHAPE.opaque
  const texts = Number(TEXTS.has(one)) + Number(TEXTS.has(other))
  return texts === 1 && (one === 'type' || other === 'type') ? SHAPE.type : SHAPE.other
}
