type Options = Readonly<Record<string, unknown>>

/** Switches, off by default, and the keys that can have no effect without them. */
const SWITCHES = [
  ['enabled', [
    'logMismatches', 'detailedDiff', 'maxBodyCapture', 'ignoreHeaders', 'ignoreJsonFields', 'redact', 'rules', 'origins'
  ]],
  ['detailedDiff', ['ignoreHeaders', 'ignoreJsonFields', 'rules', 'origins']]
] as const

/**
 * The first key of a route's options that can have no effect, for nothing or too little is compared, and the switch of
 * `compare` that it needs. A switch that is given, here or in the defaults, is meant as it is: `enabled: false`
 * switches off a comparison that stays written down. And what only the defaults give may be for other routes.
 * @param own the route's options @param merged those with the defaults under them; nothing filled in
 */
export function idleKey (own: Options, merged: Options): { keys: string[], needs: string } | null {
  const [given, all] = [Object(own.compare) as Options, Object(merged.compare) as Options]
  if (own.maxPlaces !== undefined && all.enabled === undefined) return { keys: ['maxPlaces'], needs: 'enabled' }
  for (const [needs, keys] of SWITCHES) {
    if (all[needs] === false) return null
    if (all[needs] !== undefined) continue
    const key = keys.find(key => !isOff(given[key]))
    if (key !== undefined) return { keys: ['compare', key], needs }
    if (!isOff(own.noise)) return { keys: ['noise'], needs }
  }
  return null
}

/** Values that ask for nothing. */
function isOff (value: unknown): boolean {
  return value === undefined || value === false ||
    (typeof value === 'object' && Object.keys(value as object).length === 0)
}
