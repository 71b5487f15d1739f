import { parseArgs } from 'node:util'

const LONGEST = 86_400

export const USAGE = `npm run demo -- [--seconds N]

  --seconds N  ends by itself after N seconds, else at Ctrl-C
  --help       prints this`

/** How long the demo runs, in seconds; `null`: help is wanted. Throws an error whose message is for people. */
export function readSeconds (args: string[]): number | null {
  const { values } = parseArgs({ args, options: { seconds: { type: 'string' }, help: { type: 'boolean' } } })
  if (values.help) return null
  if (values.seconds === undefined) return Infinity
  const seconds = Number(values.seconds)
  if (seconds > 0 && seconds <= LONGEST) return seconds
  throw new Error(`--seconds must be a number above 0, up to ${LONGEST}, got "${values.seconds}"`)
}
