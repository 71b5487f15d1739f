import { each, runNode } from '../../test/helpers/process-group'

// The core of the tests: what clients, primaries, shadows and books see of a mirror, and what of it goes through
// Fastify, http-proxy and reply-from. What the engine, the verdict, the page and the other parts do by themselves is
// the same beside any Fastify.

/** Below `test/`. Those that take the longest come first. */
export const CORE = [
  'traffic', 'compare-answers', 'accounting', 'request', 'isolation/10-11-untouched', 'endpoint-traffic', 'switch',
  'where-the-primary-is-read', 'isolation/09-shared-streams', 'proxied', 'plugin', 'bytes-in-place', 'options',
  'under-attack/http2', 'unmirrored', 'fastify-answers', 'bodyless', 'interim'
]

/** Milliseconds for a test file. */
const PATIENCE = 120_000
/** As tap runs the whole suite. */
const AT_ONCE = 2

export interface Outcome {
  passed: number
  skipped: number
  /** Why tests were skipped, each once. */
  reasons: Set<string>
  /** What failed, with what it wrote. */
  failures: string[]
}

/** Runs test files of a consumer's folder. */
export async function runCore (dir: string, files: readonly string[]): Promise<Outcome> {
  const all: Outcome = { passed: 0, skipped: 0, reasons: new Set(), failures: [] }
  await each(files, AT_ONCE, async file => {
    // tap's own bound is the shorter one: it tells what it waits for.
    const env = { TAP_TIMEOUT: String(PATIENCE / 1000 - 20) }
    const setting = { cwd: dir, env, patience: PATIENCE }
    const { stdout, stderr, code, late } = await runNode([`test/${file}.test.js`], setting)
    const { pass, skip, failed } = countsOf(stdout)
    all.passed += pass
    all.skipped += skip
    for (const [, reason] of stdout.matchAll(/^ *ok .* # SKIP (.+)$/gm)) all.reasons.add(reason)
    if (!late && !failed && code === 0 && pass > 0) return
    const why = late ? `it took longer than ${PATIENCE} ms` : `it ended with ${code}`
    all.failures.push(`${file}: ${why}\n${failuresIn(stdout)}${stderr}`)
  })
  return all
}

/** Of tap's last line but one: `# { total: 12, pass: 10, fail: 1, skip: 1 }`. */
function countsOf (stdout: string): { pass: number, skip: number, failed: boolean } {
  const summary = /^# \{ total: .*\}$/m.exec(stdout)?.[0] ?? ''
  const count = (name: string) => Number(new RegExp(` ${name}: (\\d+)`).exec(summary)?.[1] ?? 0)
  const failed = summary === '' || count('fail') > 0 || /^not ok /m.test(stdout)
  return { pass: count('pass'), skip: count('skip'), failed }
}

/** Tests that failed, each with what tap says of it. */
function failuresIn (stdout: string): string {
  return (stdout.match(/^ *not ok .*\n(?: *---\n(?:.*\n)*? *\.\.\.\n)?/gm) ?? []).join('')
}
