import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { TrialResult } from './run'

/** What came of it, for people. */
export function tableOf (result: TrialResult): string {
  const { accepted, found, hidden, alarms, staying, verdict } = result
  const kinds = new Map<string, number>()
  for (const { rule } of accepted) {
    const kind = Object.keys(rule).find(key => key !== 'at' && key !== 'endpoint') as string
    kinds.set(kind, (kinds.get(kind) ?? 0) + 1)
  }
  const reasons = verdict.backends[0].reasons.map(({ text }) => text).join('; ')
  const rows: Array<[string, string]> = [
    ['requests until noise was known', String(result.learned)],
    ['requests in all', String(result.requests)],
    ['places before', String(result.before)],
    ['places after', String(result.after)],
    ['proposals accepted', `${accepted.length}: ${[...kinds].map(([kind, count]) => `${count} ${kind}`).join(', ')}`],
    ['regressions found', `${found.length}: ${found.map(({ name }) => name).join(', ')}`],
    ['hidden', `${hidden.length} ${hidden.map(({ name }) => name).join(', ')}`],
    ['false alarms', `${alarms.length} ${alarms.map(({ endpoint, where }) => `${endpoint} ${where}`).join(', ')}`],
    ['still told when mended', `${staying.length} ${staying.map(({ name }) => name).join(', ')}`],
    ['lines of configuration', String(configurationLines())],
    ['verdict at the end', verdict.verdict === 'ready' ? 'ready' : `${verdict.verdict}: ${reasons}`]
  ]
  const width = Math.max(...rows.map(([name]) => name.length))
  return rows.map(([name, value]) => `${name.padEnd(width)}  ${value}`.trimEnd()).join('\n')
}

/** Those of the mirror's options in gateway.ts. */
function configurationLines (): number {
  const source = readFileSync(join(__dirname, 'gateway.ts'), 'utf8')
  return (/defaults: \{\n([^]*?)\n {4}\}/.exec(source) as RegExpExecArray)[1].split('\n').length
}
