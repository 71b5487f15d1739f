/** Work that may be left between its steps, so that others have their turn. */
export type Steps<Result> = Generator<undefined, Result, undefined>

export function atOnce<Result> (steps: Steps<Result>): Result {
  let step = steps.next()
  while (step.done !== true) step = steps.next()
  return step.value
}
