import { readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { Child } from './calls.mjs'
import { buildPlugin, compileBenchmarks } from './compile.mjs'
import { full, quick } from './effort.mjs'
import type { Results } from './limits.mjs'
import { describeMachine, findPlaces, hasNginx } from './machine.mjs'
import { runHung, runStream } from './memory.mjs'
import type { Micro } from './micro.mjs'
import { profile } from './profile.mjs'
import { report } from './report.mjs'
import { runRounds } from './rounds.mjs'
import { scenarios } from './scenarios.mjs'
import { Site } from './site.mjs'
import type { Shadow } from './site.mjs'
import { runTrouble } from './trouble.mjs'

const HELP = `npm run bench -- [options]

  --quick           a look in two minutes instead of figures to be quoted
  --only <names>    of ${[...scenarios.map(({ name }) => name), 'trouble', 'up', 'down', 'hung', 'micro'].join(', ')}
  --who <names>     only these contenders, in the tables made in rounds, beside their base
  --dist <folder>   a compiled plugin, instead of building this one
  --profile <name>  a V8 profile of one contender under full load, and nothing else;
  --shadow <kind>   with one that is fast, differs, slow, hung or refusing
  --json <file>     all figures
  --write           the report goes into benchmarks/README.md
`

/** Between these two lines the report stands in the README. */
const MARKS = ['<!-- results -->', '<!-- end of results -->']

const { values: options } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    only: { type: 'string', default: '' },
    who: { type: 'string', default: '' },
    dist: { type: 'string' },
    profile: { type: 'string' },
    shadow: { type: 'string', default: 'fast' },
    json: { type: 'string' },
    write: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false }
  }
})

const effort = options.quick ? quick : full

function listed (text: string): string[] {
  return text.split(',').map(name => name.trim()).filter(name => name !== '')
}

function say (text: string): void {
  process.stderr.write(`${text}\n`)
}

async function run (site: Site, files: string, dist: string, nginx: boolean, results: Results): Promise<void> {
  const only = listed(options.only)
  const who = listed(options.who)
  const wanted = (name: string) => only.length === 0 ? !effort.without.includes(name) : only.includes(name)

  for (const scenario of scenarios) {
    if (!wanted(scenario.name)) continue
    const groups = scenario.groups
      .filter(([base]) => nginx || base !== 'nginx')
      .map(group => group.filter((name, index) => index === 0 || who.length === 0 || who.includes(name)))
      .filter(group => group.length > 1)
    results.tables.push(...await runRounds(site, { ...scenario, groups }, effort, say))
  }
  if (wanted('trouble')) results.trouble = await runTrouble(site, effort, nginx, say)
  for (const direction of ['up', 'down'] as const) {
    if (wanted(direction)) results.memory.push(await runStream(site, direction, effort, say))
  }
  if (wanted('hung')) results.memory.push(await runHung(site, effort, say))
  if (wanted('micro')) {
    say('hot functions')
    const child = new Child<Micro>(join(files, 'micro.mjs'), { cpus: places?.gateway ?? null })
    results.micro = await child.call('run', { dist, time: effort.micro * 1000 })
    await child.kill()
  }
}

function write (text: string): void {
  const file = join(import.meta.dirname, 'README.md')
  const [before, rest] = readFileSync(file, 'utf8').split(MARKS[0])
  const [, after] = rest.split(MARKS[1])
  writeFileSync(file, `${before}${MARKS[0]}\n\n${text}\n${MARKS[1]}${after}`)
}

if (options.help) {
  process.stdout.write(HELP)
  process.exit()
}

const files = compileBenchmarks()
const dist = options.dist === undefined ? buildPlugin() : resolve(options.dist)
const places = findPlaces()
const site = new Site(files, dist, places)
try {
  if (options.profile !== undefined) {
    process.stdout.write(
      await profile(site, options.profile, options.shadow as Shadow, options.quick ? 2 : 8, dist) + '\n'
    )
  } else {
    const nginx = hasNginx()
    const results: Results = { tables: [], trouble: [], memory: [], micro: [] }
    const skipped = [
      ...nginx ? [] : ['nginx, which is not installed here'],
      ...options.only === '' && effort.without.length > 0 ? [effort.without.join(', ')] : []
    ]
    const command = ['npm run bench', ...process.argv.length > 2 ? ['--', ...process.argv.slice(2)] : []].join(' ')
    const text = () => report(results, describeMachine(places), command, skipped)
    try {
      await run(site, files, dist, nginx, results)
      if (options.write) write(text())
    } finally {
      // Also what there is when something fails after an hour.
      if (options.json !== undefined) writeFileSync(options.json, JSON.stringify(results, null, 2))
      process.stdout.write(text())
    }
  }
} finally {
  await site.close()
}
